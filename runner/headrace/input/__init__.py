"""Job files: reading them, cutting them into lines, and knowing each line by its id and digest.

`files` does the I/O and `scan` drives the first pass; `lines`, `identity`, `index` and `seen` are pure.
"""
