"""When the next job may be sent: pure rules that the dispatcher asks before every admission.

Rules of this file:

1. Nothing here waits. `ready_at` answers with a time; whoever asked decides how to get there.
2. What holds is the admission of jobs, never a worker, a connection or a slot.
"""

from __future__ import annotations

import math

import attrs

PROBE_PATIENCE = 1.0
"""Seconds after which a probe that was not refused counts as passed: a 429 comes at once."""
FIRST_HOLD = 1.0
"""Seconds of the first hold after a 429 that does not say how long to wait."""
LONGEST_HOLD = 60.0
"""Seconds: such holds double up to this one."""


@attrs.define(kw_only=True)
class FixedPacing:
    """A fixed number of jobs in flight, and one hold for all of them after a 429.

    When a hold is over a single job goes first, as a probe: the others follow when an answer to a job sent
    after the hold has come, or when the probe has not been refused for `PROBE_PATIENCE` seconds.
    """

    concurrency: int
    held_until: float = -math.inf
    _probe_due: bool = False
    _probe_sent_at: float | None = None
    _refusals_in_a_row: int = 0

    def ready_at(self, now: float, in_flight: int) -> float:
        """Return the time from which one more job may be sent: infinity while all slots are taken."""
        if in_flight >= self.concurrency:
            return math.inf
        if self._probe_sent_at is not None:
            return max(now, self._probe_sent_at + PROBE_PATIENCE)
        return max(now, self.held_until)

    def admitted(self, now: float) -> None:
        """Note that a job is sent at ``now``."""
        if self._probe_due:
            self._probe_due = False
            self._probe_sent_at = now
        else:
            self._probe_sent_at = None

    def succeeded(self, started_at: float) -> None:
        """Note the answer to a job that was sent at ``started_at``."""
        if started_at >= self.held_until:
            self._probe_due = False
            self._probe_sent_at = None
            self._refusals_in_a_row = 0

    def refused(self, now: float, retry_after: float | None, dice: float) -> None:
        """Note a 429. ``retry_after``: seconds, None if the server does not say; ``dice``: in [0, 1)."""
        self.held_until = max(self.held_until, now + self._hold(retry_after, dice))
        self._refusals_in_a_row += 1
        self._probe_due = True
        self._probe_sent_at = None

    def _hold(self, retry_after: float | None, dice: float) -> float:
        if retry_after is not None:
            return retry_after
        longest = min(LONGEST_HOLD, FIRST_HOLD * 2.0 ** min(self._refusals_in_a_row, 10))
        return longest * (0.5 + dice / 2)
