"""What to do about a failed attempt: a frozen policy that decides, and never sleeps. Pure. Times in seconds.

1. Throttling (429, 529) says something about the server and nothing about the job. It does not count towards
   ``max_attempts``: `--max-wait` limits how long the run stands still. A 429 without a Retry-After goes back
   to the queue at once, since pacing holds back the queue.
2. An outage (5xx, no response, an invalid one) counts towards ``max_attempts``.
3. A stale connection (one that the server had closed while it was idle) says nothing at all: the job is sent
   again at once, on a new connection, once per job. It counts towards no maximum.
4. Delays without a Retry-After are exponential with full jitter, as in "Exponential Backoff And Jitter" (AWS
   Architecture Blog, 2015).
"""

from __future__ import annotations

import math

import attrs

from headrace.job import Failure, FailureKind
from headrace.policy.options import RetryOptions

THROTTLING_KINDS: frozenset[FailureKind] = frozenset({"rate_limit", "overloaded"})
"""The server cannot take the request now."""
OUTAGE_KINDS: frozenset[FailureKind] = frozenset({"server", "invalid_response", "connection", "timeout"})
"""The server, or the way to it, does not work."""

MAX_EXTRA_DELAY = 1.0
"""Seconds that a job waits at most beyond what the server asks for, which may be a millisecond each time."""


@attrs.frozen
class Retry:
    """Send the job again after at least ``after`` seconds; ``counts``: towards ``max_attempts``."""

    after: float
    counts: bool


RESEND = Retry(after=0.0, counts=False)
"""What follows a stale connection, once per job, without a look at the policy, the quota or the breaker."""


@attrs.frozen
class GiveUp:
    """The job has failed for good."""


@attrs.frozen
class StopRun:
    """No job can succeed for now: send nothing more, and leave this job to the next run."""


@attrs.frozen(kw_only=True)
class RunRetryPolicy:
    """The runner's retry policy. Times in seconds."""

    options: RetryOptions = attrs.field(factory=RetryOptions)
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

        ``failures``: earlier failures that counted. ``attempts``: all that were sent, including this one.
        ``retry_after``: the delay that the server asks for. ``should_retry``: the response's
        ``x-should-retry``, which overrides the kind. ``jitter``: in [0, 1).
        """
        if _ends_the_run(failure):
            return StopRun()
        if not self._is_retryable(failure.kind, should_retry):
            return GiveUp()
        counts = failure.kind not in THROTTLING_KINDS
        if counts and failures + 1 >= self.options.max_attempts:
            return GiveUp()
        delay = 0.0 if failure.kind == "rate_limit" else self._backoff(attempts, jitter)
        if retry_after is not None:
            return Retry(max(retry_after, min(MAX_EXTRA_DELAY, delay)), counts)
        return Retry(delay, counts)

    @staticmethod
    def _is_retryable(kind: FailureKind, should_retry: bool | None) -> bool:
        if should_retry is None:
            return kind in THROTTLING_KINDS or kind in OUTAGE_KINDS
        return should_retry

    def _backoff(self, attempts: int, jitter: float) -> float:
        return jitter * min(self.max_delay, self.initial_delay * 2.0 ** min(attempts, 30))


@attrs.define(kw_only=True)
class RetryQuota:
    """A token bucket of retries that successes refill, as in the standard retry mode of the AWS SDKs.

    While at least half of the attempts succeed, no retry is delayed. Otherwise the bucket allows ``capacity``
    retries, and then as many as successes and time put back: attempts <= jobs + successes + capacity + time x
    ``trickle``. Throttling (429, 529) is limited by pacing and not counted here.
    """

    capacity: float = 50.0
    trickle: float = 0.2
    """Retries per second that are always allowed."""
    max_delay: float = 60.0
    """The maximum delay of one retry."""
    _level: float = attrs.field(default=attrs.Factory(lambda self: self.capacity, takes_self=True))
    _updated_at: float = -math.inf

    def delay(self, now: float) -> float:
        """Take one retry from the bucket, and return its minimum delay."""
        self._level = min(self.capacity, self._level + max(0.0, now - self._updated_at) * self.trickle)
        self._updated_at = now
        self._level -= 1
        return 0.0 if self._level >= 0 else min(self.max_delay, -self._level / self.trickle)

    def succeeded(self, count: int) -> None:
        """Note ``count`` results: each puts back one retry."""
        self._level = min(self.capacity, self._level + count)


def _ends_the_run(failure: Failure) -> bool:
    # A 403 may be about one job's model or feature, and would then stop every rerun at the same line. It is
    # final for its job, and for the run only if every one of the first jobs fails with it (see `stop`).
    return failure.kind == "spend_limit" or (failure.kind == "credentials" and failure.status != 403)
