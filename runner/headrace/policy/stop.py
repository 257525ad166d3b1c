"""When a run ends before its input does, and with which exit code: pure rules.

Systemic failure: when each of the first answers is the same terminal error, the next million would be too.
"""

from __future__ import annotations

import enum
import math

import attrs

from headrace.job import Failure

SYSTEMIC_FAILURES = 20
"""So many jobs must have failed for good, all alike and none with success, to call a failure systemic."""


class ExitCode(enum.IntEnum):
    """What the command ends with. Precedence: a signal, then 74, 77, 75, 1."""

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
    """Why nothing more is started. ``message``: one line for people."""

    exit_code: ExitCode
    message: str


def most_severe(reasons: list[StopReason]) -> StopReason | None:
    """The reason that names the exit code, by precedence; the first of equals."""
    return min(reasons, key=lambda reason: _PRECEDENCE.index(reason.exit_code), default=None)


def stop_reason_for(failure: Failure) -> StopReason:
    """The reason to stop after a failure that ends the run."""
    if failure.kind == "credentials":
        return StopReason(
            ExitCode.CREDENTIALS,
            f"the server refuses the credentials ({failure.message});"
            " check the key, then run the same command again",
        )
    return StopReason(
        ExitCode.STOPPED,
        f"the account's limit is reached ({failure.message}); run the same command again when it is lifted",
    )


@attrs.define(kw_only=True)
class StopRules:
    """Watches what jobs end with. ``max_failures``: an absolute number of terminal failures, or infinity."""

    max_failures: float = math.inf
    _successes: int = 0
    _failures: int = 0
    _alike: float = 0
    _first: tuple[object, ...] | None = None

    def succeeded(self, count: int) -> None:
        """Note ``count`` results."""
        self._successes += count

    def failed(self, failure: Failure) -> StopReason | None:
        """Note a terminal failure; the answer says whether the run has to stop."""
        self._failures += 1
        return self._systemic(failure) or self._too_many()

    def _systemic(self, failure: Failure) -> StopReason | None:
        if failure.kind == "bad_line":
            return None
        sort = (failure.kind, failure.status, failure.code)
        self._first = self._first or sort
        self._alike = self._alike + 1 if sort == self._first else -math.inf
        if self._successes or self._alike < SYSTEMIC_FAILURES:
            return None
        code = ExitCode.CREDENTIALS if failure.kind == "credentials" else ExitCode.STOPPED
        return StopReason(
            code,
            f"each of the first {SYSTEMIC_FAILURES} jobs failed in the same way: {failure.message};"
            " mend it and run again",
        )

    def _too_many(self) -> StopReason | None:
        if self._failures <= self.max_failures:
            return None
        return StopReason(
            ExitCode.STOPPED,
            f"{self._failures} jobs have failed, more than --max-failures allows; see the error file",
        )
