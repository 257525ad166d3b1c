"""How many jobs may be in flight at once: a fixed number, or one found during the run. Pure. In seconds.

1. The cap rises only while it is the bottleneck.
2. Where the rate is known, Little's law says what the cap must be: rate x latency. But the server may be
   slower than its limits allow. So if responses come fast enough to measure, the cap gets there in steps.
3. A step doubles the cap at most, and is undone if the throughput did not follow: more jobs in flight would
   only wait at the server instead of here.
4. Only a refusal that names concurrency lowers the cap below a value that worked.

The cap starts at 2 and doubles up to 64 with each round of responses: a slow start for the number of jobs in
flight. `RateSearch` has one for their rate. Both are needed: a rate does not limit how many slow requests
pile up, and a cap does not limit how many fast ones are sent per second.
"""

from __future__ import annotations

import math

import attrs

SLOW_START_CAP = 64
"""Jobs: the cap doubles up to this one without measuring the throughput. So few overload no server."""
_INITIAL_CAP = 2
"""Jobs: with more, a shallow bucket would refuse some of the very first ones."""
_SLOW_START_INTERVAL = 0.15
"""The cap doubles after this time or after a round of responses, whichever comes first."""
_BLIND_STEP_INTERVAL = 1.0
"""Before the first response the cap rises by `SLOW_START_CAP` at this interval: a refusal comes at once."""
_MAX_MEASURED_LATENCY = 1.0
"""With a longer latency, measuring each step would take too long: Little's law decides alone."""
_MIN_WINDOW = 0.25
"""The throughput is measured over this time and a round of responses, at least: responses come in bursts."""
_HEADROOM = 1.25
"""The ratio of the cap to what Little's law says: latencies vary."""
_MIN_GAIN = 1.1
"""A step is worthwhile if it multiplies the throughput by at least this."""
_PAUSE_AFTER_USELESS_STEP = 60.0
"""After a step without effect, none is tried for this long."""
_RETRY_INTERVAL = 30.0
"""The time after a refusal for concurrency at which one more job is tried. It doubles if that is refused."""
_LATENCY_WEIGHT = 0.02
"""The weight of one response in the moving average."""


@attrs.define(kw_only=True)
class Concurrency:
    """The cap on jobs in flight. ``ceiling``: its maximum. ``auto``: whether it rises by itself."""

    cap: int = SLOW_START_CAP
    ceiling: int = SLOW_START_CAP
    auto: bool = False
    latency: float = 0.0
    """A moving average of the seconds from sending a job to its result."""
    _responses: int = 0
    _window: tuple[float, int] | None = None
    """Since when the cap has been the bottleneck, and the responses until then."""
    _effect_after: int = 0
    """The number of responses from which on the last step has an effect: its jobs have been answered."""
    _responses_at_round: int = 0
    """The responses at the end of the last whole round: they come in bursts."""
    _before_step: tuple[int, float] | None = None
    """The cap before the last step, and the throughput with it."""
    _not_before: float = -math.inf
    _refused: bool = False
    _retry_interval: float = _RETRY_INTERVAL

    @classmethod
    def fixed(cls, cap: int) -> Concurrency:
        """Return a cap that the user states; refusals for concurrency lower it all the same."""
        return cls(cap=cap, ceiling=cap)

    @classmethod
    def found(cls, ceiling: int) -> Concurrency:
        """Return a cap that is found during the run, up to ``ceiling``."""
        return cls(cap=min(_INITIAL_CAP, ceiling), ceiling=ceiling, auto=True)

    def ready_at(self, in_flight: int, rate: float | None, now: float) -> float:
        """Return when one more job may be in flight; infinity: not before another has come back.

        ``rate``: jobs per second that the known limits allow; None if none is known.
        """
        if in_flight < self.cap:
            return now
        if self.cap >= self.ceiling:
            return math.inf
        if now < self._not_before:
            return self._not_before
        if self._refused:
            self._raise(self.cap + 1, now)
            self._not_before = now + self._retry_interval
            return now
        return self._grow(rate, now) if self.auto else math.inf

    def left_room(self) -> None:
        """Note that something else is the bottleneck: measurements now say nothing about the cap."""
        self._window = None

    def succeeded(self, latency: float) -> None:
        """Note a result. ``latency``: seconds since its job was sent."""
        self._responses += 1
        self.latency += max(1 / self._responses, _LATENCY_WEIGHT) * (latency - self.latency)

    def refused(self, others: int, now: float) -> None:
        """Note a refusal for concurrency. ``others``: jobs in flight besides the refused one."""
        if self._refused and others == self.cap - 1:  # the one more job that was tried
            self._retry_interval *= 2
        self._refused = True
        self.cap = max(1, min(self.cap, others))
        self._not_before = now + self._retry_interval

    def _grow(self, rate: float | None, now: float) -> float:
        if self._window is None:
            self._window = (now, self._responses)
        began, responses = self._window
        if self.cap < SLOW_START_CAP:
            due = now if self._responses - responses >= self.cap else began + _SLOW_START_INTERVAL
            return self._raise_at(due, min(SLOW_START_CAP, 2 * self.cap), now)
        if not self._responses:
            return self._raise_at(began + _BLIND_STEP_INTERVAL, self.cap + SLOW_START_CAP, now)
        wanted = self._wanted(rate)
        if wanted <= self.cap:
            return math.inf
        throughput = self._throughput(rate, now)
        if throughput is None:
            return math.inf
        if self._before_step is not None and throughput < _MIN_GAIN * self._before_step[1]:
            self.cap = self._before_step[0]
            self._not_before = now + _PAUSE_AFTER_USELESS_STEP
            self._window = self._before_step = None
            return math.inf
        self._before_step = (self.cap, throughput)
        self._effect_after = self._responses + self.cap
        self._raise(wanted, now)
        return now

    def _throughput(self, rate: float | None, now: float) -> float | None:
        """Return the jobs per second with the current cap; None if it takes more responses to measure."""
        if self._before_step is None and rate is not None and self.latency > _MAX_MEASURED_LATENCY:
            return self.cap / self.latency
        if self._window is None or self._responses < self._effect_after:
            self._window = None
            return None
        began, responses = self._window
        if self._responses < max(responses, self._responses_at_round) + self.cap:
            return None
        self._responses_at_round = self._responses
        return None if now < began + _MIN_WINDOW else (self._responses - responses) / (now - began)

    def _wanted(self, rate: float | None) -> int:
        if rate is None:
            return 2 * self.cap
        wanted = math.ceil(_HEADROOM * rate * self.latency)
        return wanted if self.latency > _MAX_MEASURED_LATENCY else min(wanted, 2 * self.cap)

    def _raise_at(self, due: float, cap: int, now: float) -> float:
        """Raise the cap if it is time to; return when one more job may be in flight."""
        if now >= due:
            self._effect_after = self._responses + self.cap
            self._raise(cap, now)
        return max(due, now)

    def _raise(self, cap: int, now: float) -> None:
        self.cap = min(self.ceiling, cap)
        self._window = (now, self._responses)
