"""The runner's own errors.

    HeadraceError
    ├── BadLine         one line of the input is no job (becomes an error record)
    ├── RunRefused      2: nothing was sent; the message says what to do
    └── StorageFailed   74: a file could not be read, written, locked

Each knows the exit code that it ends the command with.
"""

from __future__ import annotations


class HeadraceError(Exception):
    """Base of the runner's errors. The text is one line for people and says what to do."""

    exit_code = 70


class BadLine(HeadraceError):
    """One line of the input is no job; the text says why, without quoting more than 80 characters of it."""

    exit_code = 1


class RunRefused(HeadraceError):
    """The run was not started and nothing was sent."""

    exit_code = 2


class StorageFailed(HeadraceError):
    """A file could not be read, written or locked."""

    exit_code = 74
