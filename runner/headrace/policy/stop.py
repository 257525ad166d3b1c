"""When a run ends before its input does, and with which exit code. Pure.

Many failures alike in a row are judged by `systemic`.
"""

from __future__ import annotations

import enum
import math

import attrs

from headrace.job import Failure


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
            f"{failure.message.removesuffix('.')}: the server rejects the credentials."
            " Check the key, then run the same command again.",
        )
    return StopReason(
        ExitCode.STOPPED,
        f"{failure.message.removesuffix('.')}: the account cannot be used for now."
        " Raise the limit, add credit or settle it with the provider, then run the same command again.",
    )


@attrs.define(kw_only=True)
class StopRules:
    """Counts the jobs that failed for good. ``max_failures``: how many may, or infinity."""

    max_failures: float = math.inf
    _failures: int = 0

    def failed(self) -> StopReason | None:
        """Note a job that failed for good; return why the run has to stop, if it has to."""
        self._failures += 1
        if self._failures <= self.max_failures:
            return None
        return StopReason(
            ExitCode.STOPPED,
            f"{self._failures} jobs failed, more than --max-failures allows. See the error file.",
        )
