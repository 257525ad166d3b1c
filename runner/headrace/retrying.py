"""What to do about a failed attempt: a frozen policy that answers, and never sleeps.

A 429 or 529 says "not now" about the server and nothing about the job: it uses up no attempt and is
bounded by `--max-wait` of standstill. Every other failure that may pass counts towards ``max_attempts``.
Waits without a Retry-After are exponential with full jitter, as in "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015).
"""

from __future__ import annotations

import attrs

from headrace.job import Failure, FailureKind

NOT_NOW: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})
MAY_PASS: frozenset[FailureKind] = frozenset({"server", "bad_answer", "connection", "timeout"})


@attrs.frozen
class Retry:
    """Send the job again, ``after`` seconds at the earliest; ``counts``: this failure used up an attempt."""

    after: float
    counts: bool


@attrs.frozen
class GiveUp:
    """The job has failed for good."""


@attrs.frozen
class StopRun:
    """No job can succeed for now: start nothing more, and leave this one to the next run."""


@attrs.frozen(kw_only=True)
class RunRetryPolicy:
    """The runner's retry policy. Times in seconds."""

    max_attempts: int = 5
    initial_delay: float = 0.5
    max_delay: float = 60.0

    def verdict(
        self,
        failure: Failure,
        *,
        failures: int,
        attempts: int,
        retry_after: float | None = None,
        should_retry: bool | None = None,
        dice: float,
    ) -> Retry | GiveUp | StopRun:
        """Decide about a job's latest failure.

        ``failures``: earlier ones that counted; ``attempts``: all that were sent, this one included;
        ``retry_after``: seconds, as the server asked; ``should_retry``: its ``x-should-retry``;
        ``dice``: in [0, 1).
        """
        if _ends_the_run(failure):
            return StopRun()
        if not self._may_pass(failure.kind, should_retry):
            return GiveUp()
        counts = failure.kind not in NOT_NOW
        if counts and failures + 1 >= self.max_attempts:
            return GiveUp()
        return Retry(retry_after if retry_after is not None else self._backoff(attempts, dice), counts)

    @staticmethod
    def _may_pass(kind: FailureKind, should_retry: bool | None) -> bool:
        if should_retry is None:
            return kind in NOT_NOW or kind in MAY_PASS
        return should_retry

    def _backoff(self, attempts: int, dice: float) -> float:
        return dice * min(self.max_delay, self.initial_delay * 2.0 ** min(attempts, 30))


def _ends_the_run(failure: Failure) -> bool:
    # A 403 may be about one job's model or feature, and would then stop every rerun at the same line: it is
    # terminal for its job, and for the run only when each of the first answers is one (stopping.py).
    return failure.kind == "spend_limit" or (failure.kind == "credentials" and failure.status != 403)
