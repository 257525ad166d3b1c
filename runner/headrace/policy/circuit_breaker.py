"""A circuit breaker: a server that is out of order is asked by one probe at a time. Pure.

Closed, it lets everything pass. Failures of several jobs, with no answer in between, open it: a few jobs
that fail again and again are their own affair, and end by their attempts. Open, it lets one job pass at
a time, rarer as the outage lasts: so that recovery is noticed within a twentieth of what was lost
already. The first answer of the server, whatever it says, closes it.
"""

from __future__ import annotations

import math

import attrs

FAILURE_THRESHOLD = 10
"""Jobs that fail in a row, each at least once, open it."""
MIN_PROBE_INTERVAL = 1.0
"""Seconds from one probe to the next at the beginning."""
PROBE_INTERVAL_SHARE = 0.05
"""Later they are so large a share of the outage apart."""


@attrs.define
class CircuitBreaker:
    """Whether the server works, by what came of the latest attempts."""

    _failing: set[str] = attrs.field(factory=set[str])
    _opened_at: float | None = None
    _probe_at: float = -math.inf
    _probe_sent_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether the server counts as out of order."""
        return self._opened_at is not None

    def ready_at(self, now: float) -> float:
        """Return the time from which one more job may be sent; infinity: not before the probe is back."""
        if self._opened_at is None:
            return now
        return math.inf if self._probe_sent_at is not None else max(now, self._probe_at)

    def admitted(self, now: float) -> None:
        """Note that a job is sent at ``now``."""
        if self._opened_at is not None:
            self._probe_sent_at = now

    def responded(self) -> None:
        """Note that the server has answered, if only to refuse."""
        if self._failing:
            self._failing.clear()
            self._opened_at = self._probe_sent_at = None

    def failed(self, job: str, started_at: float, now: float) -> None:
        """Note an attempt at a job that brought no answer, or one that says the server is broken."""
        if self._opened_at is None:
            self._failing.add(job)
            if len(self._failing) >= FAILURE_THRESHOLD:
                self._opened_at = now
                self._probe_at = now + MIN_PROBE_INTERVAL
        elif self._probe_sent_at is not None and started_at >= self._probe_sent_at:
            self._probe_sent_at = None
            self._probe_at = now + max(MIN_PROBE_INTERVAL, PROBE_INTERVAL_SHARE * (now - self._opened_at))

    def interrupted(self) -> None:
        """Note that a job was cut off by us: if it was the probe, another may go."""
        self._probe_sent_at = None
