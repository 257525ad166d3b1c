"""What was taken from the limits, by the time at which the jobs were sent. Pure. Times in seconds."""

from __future__ import annotations

import math
from bisect import bisect_right

import attrs

from ._values import Cost, minus

_MAX_LENGTH = 8_192
"""Entries, one for each time of sending: a bound on memory. They have to span the latency of a job."""
_SPANS = (3.0, 1.0, 0.3, 0.1)
"""Seconds: jobs are sent in bursts, and a rate that doubles is not that of a whole second..."""
_MIN_SENT = 4
"""... but the shorter ones count only if as many jobs were sent in them."""
_RESERVED_FOR = 0.2
"""Seconds: jobs sent within this time may still have tokens reserved that no header has shown yet."""


@attrs.define
class History:
    """A running total with its past: a response's headers may show the moment at which its job was sent."""

    _times: list[float] = attrs.field(factory=lambda: [-math.inf])
    _totals: list[Cost] = attrs.field(factory=lambda: [(0.0, 0.0, 0.0)])

    def add(self, cost: Cost, now: float, times: int = 1) -> None:
        """Note that a job was sent; with ``times`` -1, that it was refused and took nothing."""
        last = self._totals[-1]
        total = last[0] + times * cost[0], last[1] + times * cost[1], last[2] + times * cost[2]
        if self._times[-1] == now:
            self._totals[-1] = total
            return
        self._times.append(now)
        self._totals.append(total)
        if len(self._times) > _MAX_LENGTH:
            del self._times[: _MAX_LENGTH // 2], self._totals[: _MAX_LENGTH // 2]

    @property
    def total(self) -> Cost:
        """Everything ever taken."""
        return self._totals[-1]

    def since(self, time: float) -> Cost:
        """Return what was taken for jobs sent after ``time``."""
        then = self._totals[max(0, bisect_right(self._times, time) - 1)]
        last = self._totals[-1]
        return last[0] - then[0], last[1] - then[1], last[2] - then[2]

    def rate(self, now: float) -> float:
        """Return the jobs per second that were sent recently, at the highest over the times of `_SPANS`."""
        sent = [(self.since(now - span)[0], span) for span in _SPANS]
        return max([max(1.0, sent[0][0]) / _SPANS[0], *(n / span for n, span in sent if n >= _MIN_SENT)])


@attrs.define
class Spending:
    """What was taken for jobs, and what the server set aside for them beyond that."""

    cost: History = attrs.field(factory=History)
    withheld: History = attrs.field(factory=History)

    def add(self, cost: Cost, reserve: Cost, now: float, times: int = 1) -> None:
        """Note that a job was sent, or with ``times`` -1 that it was refused."""
        self.cost.add(cost, now, times)
        self.withheld.add(minus(reserve, cost), now, times)

    def withheld_recently(self, now: float) -> Cost:
        """Return what may be set aside for jobs without any header that shows it."""
        return self.withheld.since(now - _RESERVED_FOR)
