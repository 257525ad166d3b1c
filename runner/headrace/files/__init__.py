"""The files of a run: reading job files, opening and mending an output, proving it, sorting it.

`storage` is all that touches a disk besides `inputs`; what the lines mean is decided in `headrace.journal`.
"""
