"""The API's resources: each endpoint is described once, with a short method for each of the two clients."""
