"""A hold of all admissions after a refusal, and the probe that ends it. Pure."""

from __future__ import annotations

import math

import attrs

PROBE_TIMEOUT = 1.0
"""Seconds after which a probe that was not refused counts as passed: a 429 comes at once."""
MIN_COOLDOWN = 1.0
"""Seconds of the first hold after a 429 that does not say how long to wait."""
MAX_COOLDOWN = 60.0
"""Seconds: such holds double up to this one."""


@attrs.define(kw_only=True)
class Cooldown:
    """Until when nothing is sent.

    When a hold is over a single job goes first, as a probe: the others follow when an answer to a job sent
    after the hold has come, or when the probe has not been refused for `PROBE_PATIENCE` seconds.
    """

    until: float = -math.inf
    _probe_due: bool = False
    _probe_sent_at: float | None = None
    _in_a_row: int = 0

    @property
    def is_over(self) -> bool:
        """Whether there is neither a hold nor a probe to come."""
        return self._in_a_row == 0

    def ready_at(self, now: float) -> float:
        """Return the time from which one more job may be sent."""
        if self._probe_sent_at is not None:
            return max(now, self._probe_sent_at + PROBE_TIMEOUT)
        return max(now, self.until)

    def admitted(self, now: float) -> None:
        """Note that a job is sent at ``now``."""
        self._probe_sent_at = now if self._probe_due else None
        self._probe_due = False

    def passed(self, started_at: float) -> None:
        """Note the answer to a job that was sent at ``started_at``."""
        if started_at >= self.until:
            self._probe_due = False
            self._probe_sent_at = None
            self._in_a_row = 0

    def refused(self, until: float) -> None:
        """Hold everything until a time that the server named, or that its levels say."""
        self.until = max(self.until, until)
        self._in_a_row += 1
        self._probe_due = True
        self._probe_sent_at = None

    def backoff(self, jitter: float) -> float:
        """Return the seconds to hold where nothing says for how long; ``jitter``: in [0, 1)."""
        longest = min(MAX_COOLDOWN, MIN_COOLDOWN * 2.0 ** min(self._in_a_row, 10))
        return longest * (0.5 + jitter / 2)
