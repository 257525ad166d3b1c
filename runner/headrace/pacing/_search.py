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
6. One refusal may be a stray one: a gateway's, or that of a server which was busy for a moment. The first one
   in slow start sets no plateau yet. A rate a little lower is tried for a second, and then slow start resumes
   from there. The second refusal sets the plateau, and so does one that several jobs in flight share.
7. A search that begins in the middle of a run, because of a refusal that no known limit explains, begins
   likewise: with a little more than was accepted lately. If no other refusal follows, it ends.

Times are seconds, rates are jobs per second.
"""

from __future__ import annotations

import math

import attrs

from ._acceptance import Acceptance
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
_NEAR = 0.98
"""The new plateau as a share of a rate that was refused late: it is almost right."""
_TRIAL = 1.0
"""Seconds of sending after a refusal that may be a stray one, for which the rate stays (rule 6)."""
_PROVEN_AFTER = 2.0
"""Seconds after the jump of rule 2 from which a refusal says nothing about it."""
_CATCH_UP = 1.25
"""The first rate of rule 7, as a multiple of what was accepted: it makes up for the cooldown."""
_MAX_RATIO = 1.5
"""In slow start the rate may be far above what is sent: a refusal counts for this multiple of it, at most."""
_STRAY_INTERVAL = 10.0
"""Seconds: a refusal in slow start that comes later than this after the last one..."""
_STRAY_JOBS = 100
"""... and after as many accepted jobs may be a stray one, too."""
_MAX_SLOPE = 0.02
"""The share by which the rate rises per second after a refusal of its slope..."""
_MIN_SLOPE = 0.0025
"""... at most and at least."""
_SLOPE_RECOVERY = 15.0
"""The time without a refusal after which the average slope has doubled."""
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
    is_provisional: bool = False
    """Whether other limits are known: the search ends if the refusal that began it was a stray one."""
    _trial_until: float = -math.inf
    """Until then the rate stays; infinity: until the first job after the refusal has been sent."""
    _before_jump: float | None = None
    """The rate before the jump of rule 2; None without one, and once a refusal has followed."""
    _jumped_at: float = -math.inf
    """The time of that jump."""
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
    _since: Acceptance = attrs.field(factory=Acceptance)

    @classmethod
    def after_refusal(cls, accepted: float, now: float) -> RateSearch:
        """Return the search that a refusal begins in the middle of a run (rule 6).

        ``accepted``: the jobs per second that the server accepted before.
        """
        self = cls(is_provisional=True)
        self._doubt(accepted, _CATCH_UP * accepted, now)
        return self

    @property
    def doubts(self) -> bool:
        """Whether the last refusal may be a stray one; no job has been sent since."""
        return self._trial_until == math.inf

    def is_over(self, now: float) -> bool:
        """Whether the refusal that began the search was a stray one."""
        refused_at = self._since.refused_at
        is_old = refused_at is not None and now > refused_at + _STRAY_INTERVAL
        return self.is_provisional and self.plateau is None and is_old

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
        if self._trial_until > now:
            self._trial_until = min(self._trial_until, now + _TRIAL)
        elif self._is_bottleneck and self._admitted_at is not None:
            self._age += min(1.0, now - self._admitted_at)
        self._is_bottleneck = False
        self._admitted_at = now
        self._tokens -= jobs
        self._since.jobs += jobs

    def succeeded(self, now: float, jobs: int = 1) -> None:
        """Note results whose responses report no limit."""
        if self.plateau is not None or self._trial_until > now:
            return
        if self.stated is not None:
            self._before_jump, self._jumped_at = self.rate, now
            self._initial = max(self.rate, self.stated / _STATED_FILLING)
            self._age, self.stated = 0.0, None
        self._responses += jobs
        if self._responses >= max(_MIN_ROUND, self.rate * _ROUND):
            self._responses = 0
            self._age += self._doubling

    def refused(self, started_at: float, sent_since: float, sent: float, now: float) -> None:
        """Note a refusal of the rate, of a job sent at ``started_at``.

        ``sent_since``: jobs sent after it. ``sent``: the jobs per second sent before it, at the highest.
        """
        self._since.jobs -= 1
        if not self._since.is_new(started_at):
            self._lower()
            return
        rate = self.rate
        if self.plateau is None:
            rate = min(rate, max(_INITIAL_RATE, _MAX_RATIO * sent))
        self._slope = 0.0
        self.stated = None
        if self._before_jump is not None and now < self._jumped_at + _PROVEN_AFTER:
            self._restart(rate, self._before_jump, now)
            self._initial, self.plateau = self._before_jump, None
        elif self.plateau is None:
            self._refused_in_slow_start(rate, now)
        elif self._age < _EARLY:
            self._restart(rate, self._since.lower(rate, now, is_slow_start=False), now)
            self._span = _EARLY_RETURN
        else:
            self._restart(rate, rate * _NEAR, now)
            self._span = _RETURN
        self._before_jump = None
        self._since.in_flight(sent_since)

    def _refused_in_slow_start(self, rate: float, now: float) -> None:
        self._span = _EARLY_RETURN
        last = self._since.refused_at
        if last is None or (now > last + _STRAY_INTERVAL and self._since.jobs >= _STRAY_JOBS):
            self._doubt(rate, self._since.step(rate), now)
        elif -math.inf < self._trial_until <= now:
            self._restart(rate, self._since.lower_again(rate, now), now)
        else:
            self._restart(rate, self._since.lower(rate, now, is_slow_start=True), now)

    def too_steep(self, accepted: float, started_at: float, now: float) -> None:
        """Note a refusal of the slope (rule 5). ``accepted``: the recent rate of jobs not refused."""
        if self._since.is_new(started_at):
            steepness = self._slope * (1 + self._age / _SLOPE_RECOVERY) or 3 * _MAX_SLOPE
            self._slope = max(_MIN_SLOPE, min(_MAX_SLOPE, steepness / 3))
            self._restart(self.rate, accepted, now)
        elif self.plateau is not None:
            self.plateau = min(self.plateau, accepted)

    def _doubt(self, refused: float, rate: float, now: float) -> None:
        """Try a rate for a while before slow start resumes from there (rule 6)."""
        self._restart(refused, rate, now)
        self._initial, self.plateau = max(_MIN_RATE, rate), None
        self._trial_until = math.inf

    def _lower(self) -> None:
        """Lower the plateau to what was accepted of the jobs in flight, if there were enough."""
        accepted = self._since.also_refused()
        if self.plateau is None and self._trial_until > -math.inf and not self.is_provisional:
            self.plateau = max(_MIN_RATE, self._since.step(self._since.refused_rate))
        if self.plateau is not None:
            self.plateau = max(_MIN_RATE, min(self.plateau, accepted))

    def _restart(self, refused: float, plateau: float, now: float) -> None:
        self._since.restart(refused, now)
        self._trial_until = -math.inf
        self.plateau = max(_MIN_RATE, plateau)
        self._age = 0.0
        self._tokens = 0.0
        self._refilled_at = now
        self._admitted_at = None
