"""What a server has accepted since the last refusal of a rate, and what that says about its limit. Pure.

1. At a refusal the server's bucket is empty. So what it lets through until the next refusal is what flows in,
   unless the bucket overflowed in between: a lower bound, and often the limit itself.
2. A plateau never falls below this bound because of one early refusal, which may be a stray one. A second one
   in quick succession shows that the limit is lower now.
3. A refusal after a hold that let hardly any job through shows a shallow bucket: its limit is close to the
   rate that was refused.

Times are seconds, rates are jobs per second.
"""

from __future__ import annotations

import math

import attrs

_STEP_DOWN = 0.7
"""The next rate to try, as a share of one that was refused early..."""
_SHALLOW_STEP = 0.85
"""... or by a shallow bucket..."""
_SHALLOW = 0.25
"""... which has let through less than the rate gives in this time, in seconds."""
_AGAIN = 0.9
"""The same where slow start was refused twice, with a rate in between that was accepted."""
_MIN_SAMPLE = 10
"""Jobs from which a share of refused or accepted ones is taken seriously."""
_MIN_PROOF = 2.0
"""Seconds between two refusals from which what was accepted in between counts as proven."""


@attrs.define(kw_only=True)
class Acceptance:
    """The jobs accepted since the last refusal."""

    jobs: int = 0
    """Jobs sent and not refused since then."""
    refused_at: float | None = None
    refused_rate: float = 0.0
    _proven: float = 0.0
    """The rate accepted before the last refusal; 0 once an early refusal has been measured by it."""
    _sent_meanwhile: int = 0
    """Jobs that had been sent after the refused one when its refusal arrived..."""
    _also_refused: int = 0
    """... and how many of them have been refused, too."""

    def is_new(self, started_at: float) -> bool:
        """Whether a refused job was sent when the last refusal was already known."""
        return self.refused_at is None or started_at > self.refused_at

    def rate(self, maximum: float, now: float) -> float:
        """Return the rate of accepted jobs since the last refusal, including the cooldown after it."""
        return 0.0 if self.refused_at is None else min(maximum, self.jobs / (now - self.refused_at))

    def restart(self, rate: float, now: float) -> None:
        """Begin to count again at a refusal. ``rate``: the one that was refused."""
        if self.refused_at is not None and now - self.refused_at >= _MIN_PROOF:
            self._proven = self.rate(rate, now)
        self.jobs, self.refused_at, self.refused_rate = 0, now, rate
        self._sent_meanwhile = self._also_refused = 0

    def in_flight(self, sent_since: float) -> None:
        """Note how many jobs had been sent after the refused one."""
        self._sent_meanwhile = round(sent_since)

    def also_refused(self) -> float:
        """Note that one of them was refused, too; return the rate that was accepted, infinity if unknown."""
        self._also_refused += 1
        if self._sent_meanwhile < _MIN_SAMPLE:
            return math.inf
        sent = 1 + self._sent_meanwhile
        return max(1, sent - self._also_refused) / sent * self.refused_rate

    def lower(self, rate: float, now: float, *, is_slow_start: bool) -> float:
        """Return a rate below one that was refused early, and not below what was accepted.

        A bucket that let many jobs through is deep: the geometric mean of the accepted rate and of the
        refused one is closer to its limit than a fixed step.
        """
        accepted, step = self.rate(rate, now), _STEP_DOWN * rate
        if is_slow_start and self.refused_at is not None and self.jobs < _SHALLOW * rate:
            step = _SHALLOW_STEP * rate
        elif accepted and self.jobs >= _MIN_SAMPLE:
            step = min(step, math.sqrt(accepted * rate))
        proven, self._proven = self._proven, 0.0
        return max(accepted, step, min(proven, rate))

    def lower_again(self, rate: float, now: float) -> float:
        """Return a rate below two that were refused in slow start, with an accepted one in between."""
        return max(self.rate(rate, now), _AGAIN * min(rate, self.refused_rate))

    def step(self, rate: float) -> float:
        """Return the first rate to try after ``rate`` was refused, if nothing is known about it."""
        return _STEP_DOWN * rate
