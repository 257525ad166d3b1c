"""Finding a rate by trial, where no header tells it: slow start, then CUBIC around what was refused. Pure.

1. The rate rises only while it is what binds: an idle minute proves nothing.
2. Until the first refusal it doubles every half second, since a refusal comes at once and silence is
   consent; and faster if answers come faster. A user who says how many jobs are to be in flight means it:
   the first answer that tells no limit lets it jump, and from then on it doubles in about the time in
   which a refusal comes. If one comes the search begins again from before the jump, and without haste.
3. A refusal sets the plateau; the rate goes on a little below it, comes back, stays near it for long, and
   then rises faster and faster (CUBIC's curve, RFC 9438, scaled to the plateau and not to packets).
   Jobs that were sent before it came may be refused too: the more of them are, the further too high the
   rate was.
4. A refusal below the plateau means that it was found too high, because a deep bucket had been full: the
   plateau comes down by steps, but never below what was accepted since the last refusal.
5. A refusal for the slope is no plateau: the rate goes on below what was accepted and rises evenly, by so
   many percent a second; each refusal lowers them, time without one brings them back.
"""

from __future__ import annotations

import math

import attrs

FIRST_RATE = 8.0
"""Requests a second at the beginning."""
_DOUBLING = 0.5
"""Seconds; or the time in which there were so many answers as the rate lets through in `_ROUND`."""
_STATED_DOUBLING = 0.1
"""Seconds, likewise, where the number in flight is stated and an answer has come..."""
_STATED_FILLING = 4.0
"""... and the seconds in which the rate that it then jumps to would fill that number."""
_ROUND = 0.05
_MIN_ROUND = 8
_BACK = 0.04
"""So far below the plateau the rate goes on after a refusal."""
_RETURN = 15.0
"""Seconds until it is back at the plateau..."""
_RETURN_SOON = 4.0
"""... and if the plateau is a guess so far."""
_STEP_DOWN = 0.7
"""The plateau over the rate that was refused, if that was found too high: refused `_SOON`."""
_SOON = 4.0
"""Seconds."""
_NEAR = 0.98
"""The same if it was refused later."""
_MAX_SLOPE = 0.02
"""The share by which the rate rises in a second after a refusal for its slope."""
_MIN_SLOPE = 0.0025
_FORGIVING = 15.0
"""Seconds."""
_TELLING = 10
"""Jobs that must have been on the way for the share of them that was refused to count; or let through."""
_LATE = 0.05
"""Seconds: so much of a late wake-up is caught up with."""
_MIN_RATE = 0.02


@attrs.define(kw_only=True)
class RateSearch:
    """A rate in jobs a second.

    ``stated``: the jobs that the user wants in flight, until the rate has jumped; None: as many as it takes.
    """

    stated: int | None = None
    plateau: float | None = None
    """None until the first refusal."""
    _first: float = FIRST_RATE
    _before_jump: float | None = None
    """The rate from which it jumped, as long as it goes on in haste."""
    _age: float = 0.0
    """Seconds for which the rate has been what binds, since the start or the last refusal."""
    _slope: float = 0.0
    _span: float = _RETURN
    _tokens: float = 1.0
    _at: float = -math.inf
    _admitted_at: float | None = None
    _binding: bool = False
    _answers: int = 0
    _accepted: int = 0
    """Jobs let through since the last refusal."""
    _refused_at: float | None = None
    _refused_rate: float = 0.0
    _on_the_way: int = 0
    """Jobs that had been sent after the refused one when its refusal came."""
    _refused_too: int = 0
    """How many of them have been refused as well."""

    @property
    def rate(self) -> float:
        """The rate that holds now."""
        if self.plateau is None:
            return self._first * 2.0 ** min(self._age / self._doubling, 40.0)
        if self._slope:
            rise = self._slope * self._age * (1 + self._age / _FORGIVING)
            return self.plateau * (1 - _BACK) * math.exp(min(40.0, rise))
        return self.plateau * (1 + _BACK * (self._age / self._span - 1) ** 3)

    @property
    def _doubling(self) -> float:
        return _DOUBLING if self._before_jump is None else _STATED_DOUBLING

    def ready_at(self, now: float) -> float:
        """Return the time from which one more job may be sent."""
        rate = self.rate
        if now > self._at:
            self._tokens = min(max(1.0, rate * _LATE), self._tokens + (now - self._at) * rate)
            self._at = now
        if self._tokens >= 1 - 1e-9:
            return now
        self._binding = True
        return now + (1 - self._tokens) / rate

    @property
    def room(self) -> float:
        """How many jobs may be sent at once; 0 where each has to be looked at."""
        return self._tokens if self.plateau is None and not self._binding else 0.0

    def admitted(self, now: float, jobs: int = 1) -> None:
        """Note that a job is sent at ``now``, or several are."""
        if self._binding and self._admitted_at is not None:
            self._age += min(1.0, now - self._admitted_at)
        self._binding = False
        self._admitted_at = now
        self._tokens -= jobs
        self._accepted += jobs

    def succeeded(self, jobs: int = 1) -> None:
        """Note an answer that tells no limit, or several."""
        if self.plateau is not None:
            return
        if self.stated is not None:
            self._before_jump = self.rate
            self._first = max(self.rate, self.stated / _STATED_FILLING)
            self._age, self.stated = 0.0, None
        self._answers += jobs
        if self._answers >= max(_MIN_ROUND, self.rate * _ROUND):
            self._answers = 0
            self._age += self._doubling

    def refused(self, started_at: float, sent_since: float, now: float) -> None:
        """Note that the rate was refused, of a job sent at ``started_at``, and so many others after it."""
        self._accepted -= 1
        if not self._is_news(started_at):
            self._lower()
            return
        rate = self.rate
        self._slope = 0.0
        self.stated = None
        if self._before_jump is not None:
            self._restart(self._before_jump, now)
            self._first, self._before_jump, self.plateau = self._before_jump, None, None
        elif self.plateau is None or self._age < _SOON:
            self._restart(self._stepped_down(rate, now), now)
            self._span = _RETURN_SOON
        else:
            self._restart(rate * _NEAR, now)
            self._span = _RETURN
        self._refused_rate, self._on_the_way, self._refused_too = rate, round(sent_since), 0

    def too_steep(self, accepted: float, started_at: float, now: float) -> None:
        """Note that a rise was refused, and that ``accepted`` a second have been let through of late."""
        if self._is_news(started_at):
            steepness = self._slope * (1 + self._age / _FORGIVING) or 3 * _MAX_SLOPE
            self._slope = max(_MIN_SLOPE, min(_MAX_SLOPE, steepness / 3))
            self._restart(accepted, now)
        elif self.plateau is not None:
            self.plateau = min(self.plateau, accepted)

    def _is_news(self, started_at: float) -> bool:
        """Whether a refused job was sent when the last refusal was known."""
        return self._refused_at is None or started_at > self._refused_at

    def _lower(self) -> None:
        """Lower the plateau to what passed, if enough jobs were on the way to tell."""
        self._refused_too += 1
        if self.plateau is not None and self._on_the_way >= _TELLING:
            passed = max(1, 1 + self._on_the_way - self._refused_too) / (1 + self._on_the_way)
            self.plateau = max(_MIN_RATE, min(self.plateau, passed * self._refused_rate))

    def _restart(self, plateau: float, now: float) -> None:
        self.plateau = max(_MIN_RATE, plateau)
        self._age = 0.0
        self._tokens = 0.0
        self._at = now
        self._accepted = 0
        self._refused_at = now
        self._admitted_at = None

    def _stepped_down(self, rate: float, now: float) -> float:
        """A rate below one that was found too high, and no lower than what was accepted.

        What a bucket let through between two refusals is what flowed in, if it did not run over meanwhile.
        One that let many through is deep, and the mean of the two rates is nearer to it than a step.
        """
        accepted, step = self._accepted_rate(now), _STEP_DOWN * rate
        if accepted and self._accepted >= _TELLING:
            step = min(step, math.sqrt(accepted * rate))
        return max(accepted, step)

    def _accepted_rate(self, now: float) -> float:
        """Jobs a second since the last refusal, the hold after it included."""
        return 0.0 if self._refused_at is None else min(self.rate, self._accepted / (now - self._refused_at))
