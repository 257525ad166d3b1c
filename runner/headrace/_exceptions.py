"""The runner's own errors.

    HeadraceError
    ├── BadLine         one line of the input is no job (becomes an error record)
    ├── JobFailed       what `Result.unwrap` raises for a job that has no answer
    ├── RunRefused      2: nothing was sent; the message says what to do
    └── StorageFailed   74: a file could not be read, written, locked

Each knows the exit code that it ends the command with.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Self

from headrace.job import Failure, FailureKind


class HeadraceError(Exception):
    """Base of the runner's errors. The text is one line for people and says what to do."""

    exit_code = 70


class BadLine(HeadraceError):
    """One line of the input is no job; the text says why, without quoting more than 80 characters of it."""

    exit_code = 1


class JobFailed(HeadraceError):
    """Why a job has no answer: a value in `Result.error`, raised by `Result.unwrap`."""

    exit_code = 1

    def __init__(self, failure: Failure, *, stopped: bool = False) -> None:
        super().__init__(failure.message)
        self._failure = failure
        self._stopped = stopped

    def __reduce__(self) -> tuple[Callable[..., JobFailed], tuple[object, ...]]:
        return partial(JobFailed, stopped=self._stopped), (self._failure,)

    @property
    def kind(self) -> FailureKind | Literal["stopped"]:
        """The sort of failure; "stopped": something ended the run first, such as a refused key."""
        return "stopped" if self._stopped else self._failure.kind

    @property
    def status(self) -> int | None:
        """The HTTP status, if there was an answer."""
        return self._failure.status

    @property
    def code(self) -> str | None:
        """The provider's code of the error."""
        return self._failure.code

    @property
    def body(self) -> bytes | None:
        """The server's error object as one line of JSON, if it sent one of at most 2 KB."""
        return self._failure.body

    @property
    def request_id(self) -> str | None:
        """The provider's name for the last attempt."""
        return self._failure.request_id


class RunRefused(HeadraceError):
    """The run was not started and nothing was sent."""

    exit_code = 2


class StorageFailed(HeadraceError):
    """A file could not be read, written or locked."""

    exit_code = 74

    @classmethod
    def of(cls, action: str, file: object, error: OSError) -> Self:
        """Say what could not be done with which file, and why."""
        return cls(f"cannot {action} {file}: {error.strerror or error}")
