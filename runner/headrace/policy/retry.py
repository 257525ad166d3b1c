"""What to do about a failed attempt: a frozen policy that answers, and never sleeps.

A 429 or 529 says "not now" about the server and nothing about the job: it uses up no attempt and is
bounded by `--max-wait` of standstill. A 429 that names no time goes back to the queue at once, since pacing
holds the queue. Every other failure that may pass counts towards ``max_attempts``.
Waits without a Retry-After are exponential with full jitter, as in "Exponential Backoff And Jitter" (AWS
Architecture Blog, 2015).
"""

from __future__ import annotations

import math

import attrs

from headrace.job import Failure, FailureKind

THROTTLING_KINDS: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})
OUTAGE_KINDS: frozenset[FailureKind] = frozenset({"server", "invalid_response", "connection", "timeout"})


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
        jitter: float,
    ) -> Retry | GiveUp | StopRun:
        """Decide about a job's latest failure.

        ``failures``: earlier ones that counted; ``attempts``: all that were sent, this one included;
        ``retry_after``: seconds, as the server asked; ``should_retry``: its ``x-should-retry``;
        ``jitter``: in [0, 1).
        """
        if _ends_the_run(failure):
            return StopRun()
        if not self._is_retryable(failure.kind, should_retry):
            return GiveUp()
        counts = failure.kind not in THROTTLING_KINDS
        if counts and failures + 1 >= self.max_attempts:
            return GiveUp()
        if retry_after is not None:
            return Retry(retry_after, counts)
        return Retry(0.0 if failure.kind == "rate_limit" else self._backoff(attempts, jitter), counts)

    @staticmethod
    def _is_retryable(kind: FailureKind, should_retry: bool | None) -> bool:
        if should_retry is None:
            return kind in THROTTLING_KINDS or kind in OUTAGE_KINDS
        return should_retry

    def _backoff(self, attempts: int, jitter: float) -> float:
        return jitter * min(self.max_delay, self.initial_delay * 2.0 ** min(attempts, 30))


@attrs.define(kw_only=True)
class RetryQuota:
    """A bucket of retries that successes refill, as in the AWS SDKs' standard retry mode.

    A server that answers half of the attempts or more is never held back. One that answers less gets the
    ``capacity``, and then retries as successes and time allow: so attempts <= jobs + successes + capacity
    + time x ``trickle``. Refusals by rate (429, 529) are bounded by pacing and not counted.
    """

    capacity: float = 50.0
    trickle: float = 0.2
    """Retries a second that are allowed in any case."""
    max_delay: float = 60.0
    """Seconds that one retry is delayed at most."""
    _level: float = attrs.field(default=attrs.Factory(lambda self: self.capacity, takes_self=True))
    _at: float = -math.inf

    def delay(self, now: float) -> float:
        """Take one retry, and return how many seconds it has to wait at least."""
        self._level = min(self.capacity, self._level + max(0.0, now - self._at) * self.trickle)
        self._at = now
        self._level -= 1
        return 0.0 if self._level >= 0 else min(self.max_delay, -self._level / self.trickle)

    def succeeded(self, count: int) -> None:
        """Note ``count`` results: each pays for one retry."""
        self._level = min(self.capacity, self._level + count)


def _ends_the_run(failure: Failure) -> bool:
    # A 403 may be about one job's model or feature, and would then stop every rerun at the same line: it is
    # terminal for its job, and for the run only when each of the first answers is one (stopping.py).
    return failure.kind == "spend_limit" or (failure.kind == "credentials" and failure.status != 403)
