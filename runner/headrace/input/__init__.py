"""Job files: reading them, splitting them into lines, and identifying each line by its id and digest.

`files` does the I/O and `scan` drives the pass before a run; the other modules are pure.
"""
