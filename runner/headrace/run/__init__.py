"""One run of a job file, from its options to its summary."""
