"""The runner's own errors.

    HeadraceError
    ├── BadLine         one line of the input cannot be parsed as a job (becomes an error record)
    ├── JobFailed       a job has no answer: raised by `Result.unwrap`
    ├── RunRefused      the run was not started and nothing was sent
    └── StorageFailed   a file could not be read, written or locked

Each has the exit code with which it ends the command: `RunRefused` 2, `StorageFailed` 74.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal, Self

from headrace.job import Failure, FailureKind


class HeadraceError(Exception):
    """Base of the runner's errors. Its text is for people: one line that says what to do next."""

    exit_code = 70
    """Of the command, if this error ends it."""


class BadLine(HeadraceError):
    """One line of the input cannot be parsed as a job. The text quotes at most 80 characters of it."""

    exit_code = 1


class JobFailed(HeadraceError):
    """A job has no answer. It is the value of `Result.error`, and `Result.unwrap` raises it."""

    exit_code = 1

    def __init__(self, failure: Failure, *, stopped: bool = False) -> None:
        super().__init__(failure.message)
        self._failure = failure
        self._stopped = stopped

    def __reduce__(self) -> tuple[Callable[..., JobFailed], tuple[object, ...]]:
        return partial(JobFailed, stopped=self._stopped), (self._failure,)

    @property
    def kind(self) -> FailureKind | Literal["stopped"]:
        """The kind of failure; "stopped": something else ended the run first, such as a rejected key."""
        return "stopped" if self._stopped else self._failure.kind

    @property
    def status(self) -> int | None:
        """The HTTP status; None without a response."""
        return self._failure.status

    @property
    def code(self) -> str | None:
        """The provider's error code, if it gave one."""
        return self._failure.code

    @property
    def body(self) -> bytes | None:
        """The server's error object as one line of JSON; None without one, or if it exceeds 2 KB."""
        return self._failure.body

    @property
    def request_id(self) -> str | None:
        """The provider's request id of the last attempt, if it gave one."""
        return self._failure.request_id


class RunRefused(HeadraceError):
    """The run was not started and nothing was sent. The text says what to change."""

    exit_code = 2


class StorageFailed(HeadraceError):
    """A file could not be read, written or locked."""

    exit_code = 74

    @classmethod
    def of(cls, action: str, file: object, error: OSError) -> Self:
        """Say what could not be done with which file, and why."""
        return cls(f"cannot {action} {file}: {error.strerror or error}")
