"""Finding a rate by trial where no header reports it: slow start, then CUBIC around what was refused. Pure.

1. The rate rises only while it is the bottleneck: an idle minute proves nothing.
2. Until the first refusal it doubles every half second, and faster if responses come faster: a refusal comes
   at once, so silence means consent. A user who states how many jobs are to be in flight wants them there: at
   the first response that reports no limit the rate jumps to a value that fills them within seconds, and from
   then on doubles about as fast as a refusal can arrive. If one arrives, the search begins again from before
   the jump, at the normal pace.
3. A refusal sets the plateau. The rate resumes a little below it, returns to it, stays near it for a while,
   and then rises faster and faster (the curve of CUBIC, RFC 9438, scaled to the plateau and not to packets).
   Jobs that were sent before the refusal arrived may be refused, too: the more of them are, the higher above
   the limit the rate was.
4. A refusal below the plateau means that the plateau was too high, because a deep bucket was full when it was
   found. It comes down in steps, but never below what was accepted since the last refusal.
5. A refusal because the rate rose too fast sets no plateau. The rate resumes below what was accepted and
   rises evenly, by some percent per second. Each such refusal lowers the slope, time without one raises it.

Times are seconds, rates are jobs per second.
"""

from __future__ import annotations

import math

import attrs

from ._bucket import MAX_CATCH_UP

_INITIAL_RATE = 8.0
"""The rate at the start. It can be this low because it doubles soon."""
_DOUBLING = 0.5
"""The rate doubles after this time, or after a round of responses."""
_STATED_DOUBLING = 0.1
"""Likewise after the jump of rule 2: the time in which a refusal arrives..."""
_STATED_FILLING = 4.0
"""... and the time in which the rate after the jump would fill the stated number of jobs in flight."""
_ROUND = 0.05
"""A round: as many responses as the rate lets through in this time..."""
_MIN_ROUND = 8
"""... and this many at least: a few fast responses do not prove much."""
_BACK_OFF = 0.04
"""How far below the plateau the rate resumes after a refusal, as a share of it.

CUBIC's is 0.3. But a rate limit, unlike the capacity of a network path, mostly stays where it is.
"""
_RETURN = 15.0
"""The time after which it is back at the plateau..."""
_EARLY_RETURN = 4.0
"""... and while the plateau is only a guess."""
_EARLY = 4.0
"""A refusal earlier than this after the last one means that the plateau was too high (rule 4)."""
_STEP_DOWN = 0.7
"""The new plateau as a share of the rate that was refused early..."""
_NEAR = 0.98
"""... or later: then it is almost right."""
_MAX_SLOPE = 0.02
"""The share by which the rate rises per second after a refusal of its slope..."""
_MIN_SLOPE = 0.0025
"""... at most and at least."""
_SLOPE_RECOVERY = 15.0
"""The time without a refusal after which the average slope has doubled."""
_MIN_SAMPLE = 10
"""Jobs from which a share of refused or accepted ones is taken seriously."""
_MIN_RATE = 0.02
"""One job in 50 seconds, so that the search never stops."""


@attrs.define(kw_only=True)
class RateSearch:
    """A rate in jobs per second.

    ``stated``: the jobs in flight that the user states, until the rate has jumped (rule 2); None: no number.
    """

    stated: int | None = None
    plateau: float | None = None
    """None until the first refusal."""
    _initial: float = _INITIAL_RATE
    _before_jump: float | None = None
    """The rate before the jump of rule 2; None without one, and once a refusal has followed."""
    _age: float = 0.0
    """For how long the rate has been the bottleneck since the start or the last refusal."""
    _slope: float = 0.0
    _span: float = _RETURN
    _tokens: float = 1.0
    _refilled_at: float = -math.inf
    _admitted_at: float | None = None
    _is_bottleneck: bool = False
    _responses: int = 0
    """In the current round."""
    _accepted: int = 0
    """Jobs sent and not refused since the last refusal."""
    _refused_at: float | None = None
    _refused_rate: float = 0.0
    _sent_meanwhile: int = 0
    """Jobs that had been sent after the refused one when its refusal arrived..."""
    _also_refused: int = 0
    """... and how many of them have been refused, too."""

    @property
    def rate(self) -> float:
        """The current rate."""
        if self.plateau is None:
            return self._initial * 2.0 ** min(self._age / self._doubling, 40.0)
        if self._slope:
            rise = self._slope * self._age * (1 + self._age / _SLOPE_RECOVERY)
            return self.plateau * (1 - _BACK_OFF) * math.exp(min(40.0, rise))
        return self.plateau * (1 + _BACK_OFF * (self._age / self._span - 1) ** 3)

    @property
    def _doubling(self) -> float:
        return _DOUBLING if self._before_jump is None else _STATED_DOUBLING

    def ready_at(self, now: float) -> float:
        """Return when one more job may be sent."""
        rate = self.rate
        if now > self._refilled_at:
            self._tokens = min(max(1.0, rate * MAX_CATCH_UP), self._tokens + (now - self._refilled_at) * rate)
            self._refilled_at = now
        if self._tokens >= 1 - 1e-9:
            return now
        self._is_bottleneck = True
        return now + (1 - self._tokens) / rate

    @property
    def room(self) -> float:
        """How many jobs may be sent at once; 0 if each has to be checked."""
        return self._tokens if self.plateau is None and not self._is_bottleneck else 0.0

    def admitted(self, now: float, jobs: int = 1) -> None:
        """Note that jobs are sent."""
        if self._is_bottleneck and self._admitted_at is not None:
            self._age += min(1.0, now - self._admitted_at)
        self._is_bottleneck = False
        self._admitted_at = now
        self._tokens -= jobs
        self._accepted += jobs

    def succeeded(self, jobs: int = 1) -> None:
        """Note results whose responses report no limit."""
        if self.plateau is not None:
            return
        if self.stated is not None:
            self._before_jump = self.rate
            self._initial = max(self.rate, self.stated / _STATED_FILLING)
            self._age, self.stated = 0.0, None
        self._responses += jobs
        if self._responses >= max(_MIN_ROUND, self.rate * _ROUND):
            self._responses = 0
            self._age += self._doubling

    def refused(self, started_at: float, sent_since: float, now: float) -> None:
        """Note a refusal of the rate, of a job sent at ``started_at``; ``sent_since``: jobs sent after it."""
        self._accepted -= 1
        if not self._is_new(started_at):
            self._lower()
            return
        rate = self.rate
        self._slope = 0.0
        self.stated = None
        if self._before_jump is not None:
            self._restart(self._before_jump, now)
            self._initial, self._before_jump, self.plateau = self._before_jump, None, None
        elif self.plateau is None or self._age < _EARLY:
            self._restart(self._stepped_down(rate, now), now)
            self._span = _EARLY_RETURN
        else:
            self._restart(rate * _NEAR, now)
            self._span = _RETURN
        self._refused_rate, self._sent_meanwhile, self._also_refused = rate, round(sent_since), 0

    def too_steep(self, accepted: float, started_at: float, now: float) -> None:
        """Note a refusal of the slope (rule 5). ``accepted``: the recent rate of jobs not refused."""
        if self._is_new(started_at):
            steepness = self._slope * (1 + self._age / _SLOPE_RECOVERY) or 3 * _MAX_SLOPE
            self._slope = max(_MIN_SLOPE, min(_MAX_SLOPE, steepness / 3))
            self._restart(accepted, now)
        elif self.plateau is not None:
            self.plateau = min(self.plateau, accepted)

    def _is_new(self, started_at: float) -> bool:
        """Whether a refused job was sent when the last refusal was already known."""
        return self._refused_at is None or started_at > self._refused_at

    def _lower(self) -> None:
        """Lower the plateau to the share of the rate that was accepted, if enough jobs were in flight."""
        self._also_refused += 1
        if self.plateau is not None and self._sent_meanwhile >= _MIN_SAMPLE:
            sent = 1 + self._sent_meanwhile
            accepted = max(1, sent - self._also_refused) / sent
            self.plateau = max(_MIN_RATE, min(self.plateau, accepted * self._refused_rate))

    def _restart(self, plateau: float, now: float) -> None:
        self.plateau = max(_MIN_RATE, plateau)
        self._age = 0.0
        self._tokens = 0.0
        self._refilled_at = now
        self._accepted = 0
        self._refused_at = now
        self._admitted_at = None

    def _stepped_down(self, rate: float, now: float) -> float:
        """Return a rate below one that was too high, and not below what was accepted.

        What a bucket lets through between two refusals is what flowed in, unless it overflowed. A bucket that
        let many jobs through is deep: the geometric mean of both rates is closer to its rate than a fixed
        step.
        """
        accepted, step = self._accepted_rate(now), _STEP_DOWN * rate
        if accepted and self._accepted >= _MIN_SAMPLE:
            step = min(step, math.sqrt(accepted * rate))
        return max(accepted, step)

    def _accepted_rate(self, now: float) -> float:
        """Return the rate of accepted jobs since the last refusal, including the cooldown after it."""
        return 0.0 if self._refused_at is None else min(self.rate, self._accepted / (now - self._refused_at))
