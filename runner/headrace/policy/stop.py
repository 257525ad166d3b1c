"""When a run ends before its input does, and with which exit code. Pure.

A failure is systemic if every one of the first jobs fails for good with the same error: the next million
would fail, too.
"""

from __future__ import annotations

import enum
import math

import attrs

from headrace.job import Failure

SYSTEMIC_FAILURES = 20
"""Jobs that must have failed with the same error, and none succeeded, for the failure to be systemic.

Enough to rule out a few bad lines at the beginning of the input, few enough to cost next to nothing.
"""


class ExitCode(enum.IntEnum):
    """The exit codes of the command. If several apply, a signal comes first, then 70, 74, 77, 75 and 1."""

    ALL_RESULTS = 0
    SOME_FAILED = 1
    REFUSED = 2
    BUG = 70
    STORAGE = 74
    STOPPED = 75
    CREDENTIALS = 77
    INTERRUPTED = 130
    TERMINATED = 143


_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.BUG,
    ExitCode.STORAGE,
    ExitCode.CREDENTIALS,
    ExitCode.STOPPED,
)


@attrs.frozen
class StopReason:
    """Why nothing more is sent. ``message``: one line for people, which says what to do next."""

    exit_code: ExitCode
    message: str


def most_severe(reasons: list[StopReason]) -> StopReason | None:
    """Return the reason that decides the exit code: the first one of those that come first in precedence."""
    return min(reasons, key=lambda reason: _PRECEDENCE.index(reason.exit_code), default=None)


def stop_reason_for(failure: Failure) -> StopReason:
    """Return the reason to stop after a failure that ends the run."""
    if failure.kind == "credentials":
        return StopReason(
            ExitCode.CREDENTIALS,
            f"the server rejects the credentials ({failure.message})."
            " Check the key, then run the same command again.",
        )
    return StopReason(
        ExitCode.STOPPED,
        f"the account has reached its spending limit or has no credit ({failure.message})."
        " Fix that, then run the same command again.",
    )


@attrs.define(kw_only=True)
class StopRules:
    """Watches how jobs end. ``max_failures``: the number of jobs that may fail for good, or infinity."""

    max_failures: float = math.inf
    _successes: int = 0
    _failures: int = 0
    _alike: float = 0
    """Failures with the same error as the first one; minus infinity after a different one."""
    _first: tuple[object, ...] | None = None
    """The first failure's kind, status and code."""

    def succeeded(self, count: int) -> None:
        """Note ``count`` results."""
        self._successes += count

    def failed(self, failure: Failure) -> StopReason | None:
        """Note a job that failed for good; return why the run has to stop, if it has to."""
        self._failures += 1
        return self._systemic(failure) or self._too_many()

    def _systemic(self, failure: Failure) -> StopReason | None:
        if failure.kind == "bad_line":
            return None
        error = (failure.kind, failure.status, failure.code)
        self._first = self._first or error
        self._alike = self._alike + 1 if error == self._first else -math.inf
        if self._successes or self._alike < SYSTEMIC_FAILURES:
            return None
        code = ExitCode.CREDENTIALS if failure.kind == "credentials" else ExitCode.STOPPED
        return StopReason(
            code,
            f"the first {SYSTEMIC_FAILURES} jobs all failed with the same error:"
            f" {failure.message.removesuffix('.')}. Fix it, then run the same command again.",
        )

    def _too_many(self) -> StopReason | None:
        if self._failures <= self.max_failures:
            return None
        return StopReason(
            ExitCode.STOPPED,
            f"{self._failures} jobs failed, more than --max-failures allows. See the error file.",
        )
