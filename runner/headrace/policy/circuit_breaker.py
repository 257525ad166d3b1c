"""A circuit breaker: while the server is down, it gets one probe at a time. Pure. Times in seconds.

1. Closed: every job may be sent. When `FAILURE_THRESHOLD` different jobs have failed, without a response in
   between, it opens. A few jobs that fail again and again do not open it: they end when their attempts are
   used up.
2. Open: no job may be sent until the next probe is due.
3. Half-open: one job is in flight as the probe. If it fails, the next one is due after an interval that grows
   with the outage, so that recovery is noticed within 5 % of the time already lost.
4. The first response, even one that rejects the request, closes it.
"""

from __future__ import annotations

import math

import attrs

FAILURE_THRESHOLD = 10
"""Different jobs: more than the few that a working server may fail on, and too few to cost much."""
MIN_PROBE_INTERVAL = 1.0
"""Seconds from one probe to the next, at the beginning of an outage."""
PROBE_INTERVAL_SHARE = 0.05
"""The interval as a fraction of the outage so far, once that is longer."""


@attrs.define
class CircuitBreaker:
    """Whether the server works, judged by the latest attempts."""

    _failing: set[str] = attrs.field(factory=set[str])
    """Ids of the jobs that have failed since the last response."""
    _opened_at: float | None = None
    """None while it is closed."""
    _probe_due_at: float = -math.inf
    _probe_sent_at: float | None = None
    """None unless it is half-open."""

    @property
    def is_open(self) -> bool:
        """Whether the server counts as down: open or half-open."""
        return self._opened_at is not None

    def ready_at(self, now: float) -> float:
        """Return when another job may be sent; infinity while a probe is in flight."""
        if self._opened_at is None:
            return now
        return math.inf if self._probe_sent_at is not None else max(now, self._probe_due_at)

    def admitted(self, now: float) -> None:
        """Note that a job is sent."""
        if self._opened_at is not None:
            self._probe_sent_at = now

    def responded(self) -> None:
        """Note a response that shows that the server works, even if it rejects the request."""
        if self._failing:
            self._failing.clear()
            self._opened_at = self._probe_sent_at = None

    def failed(self, job: str, started_at: float, now: float) -> None:
        """Note an attempt without a response, or with one that says that the server is down.

        ``job``: its id; ``started_at``: when the attempt began.
        """
        if self._opened_at is None:
            self._failing.add(job)
            if len(self._failing) >= FAILURE_THRESHOLD:
                self._opened_at = now
                self._probe_due_at = now + MIN_PROBE_INTERVAL
        elif self._probe_sent_at is not None and started_at >= self._probe_sent_at:
            self._probe_sent_at = None
            self._probe_due_at = now + max(MIN_PROBE_INTERVAL, PROBE_INTERVAL_SHARE * (now - self._opened_at))

    def interrupted(self) -> None:
        """Note that this process cancelled a job: if it was the probe, another one may be sent."""
        self._probe_sent_at = None
