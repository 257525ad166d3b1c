"""The files of an output: opening, appending, resuming, verifying and sorting them.

`storage` does the I/O. `recovery`, `known_jobs`, `sidecar` and `verification` are pure: they say what the
bytes of earlier runs mean.
"""
