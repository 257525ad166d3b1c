"""The API's resources: each endpoint described once, with two faces of one line each."""
