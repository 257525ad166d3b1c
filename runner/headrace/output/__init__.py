"""The files of an output: opening, appending, resuming, verifying and ordering them.

`storage` does the I/O and `resume` opens an output. `recovery`, `known_jobs` and `sidecar` are pure: they say
what the bytes that earlier runs left mean.
"""
