"""How many jobs may be in flight at once: fixed, or found while the run goes on. Pure.

1. The cap rises only while it is what binds.
2. Where the rate is known, what it needs is known too: rate x latency (Little's law). A server may be
   slower than its limits, though: where answers come fast enough to tell, the cap goes there by steps.
3. A step at most doubles the cap, and is taken back if the throughput did not follow: more at once would
   only wait at the server instead of here.
4. Only the server's own word about concurrency lowers it.
"""

from __future__ import annotations

import math

import attrs

FIRST_CAP = 64
_OPENING_CAP = 2
"""With so many it begins; it doubles up to `FIRST_CAP` with each `_OPENING`, or each round of answers."""
_OPENING = 0.15
"""Seconds."""
_STEP = 1.0
"""Seconds: before the first answer the cap rises by `FIRST_CAP` in each, since a refusal comes at once."""
_WINDOW = 0.25
"""Seconds over which the throughput is measured, at least; and no less than a round of answers."""
_SPARE = 1.25
"""The cap over what Little's law asks for: latencies vary."""
_GAIN = 1.1
"""The throughput after a step over that before it, at least, for the step to have been worth it."""
_SETTLED = 60.0
"""Seconds after a step in vain before another is tried."""
_PATIENCE = 30.0
"""Seconds after a refusal of concurrency before one more is tried; doubles with each that was in vain."""


@attrs.define(kw_only=True)
class Concurrency:
    """The cap on what is in flight. ``ceiling``: the most it may be; ``auto``: it rises by itself."""

    cap: int = FIRST_CAP
    ceiling: int = FIRST_CAP
    auto: bool = False
    latency: float = 0.0
    """The mean of late."""
    _answers: int = 0
    _mark: tuple[float, int] | None = None
    """Since when the cap has been what binds, and the answers until then."""
    _shows_after: int = 0
    """The answers after which the jobs that the last step let in are answered."""
    _counted: int = 0
    """The answers at the end of the last whole round: answers come in bursts."""
    _before: tuple[int, float] | None = None
    """The cap before the last step, and its throughput."""
    _not_before: float = -math.inf
    _refused: bool = False
    _patience: float = _PATIENCE

    @classmethod
    def fixed(cls, cap: int) -> Concurrency:
        """A cap that the user names: refusals of concurrency lower it all the same."""
        return cls(cap=cap, ceiling=cap)

    @classmethod
    def found(cls, ceiling: int) -> Concurrency:
        """A cap that is found, up to ``ceiling``."""
        return cls(cap=min(_OPENING_CAP, ceiling), ceiling=ceiling, auto=True)

    def ready_at(self, in_flight: int, rate: float | None, now: float) -> float:
        """Return the time from which one more may be in flight; infinity: not before one has come back.

        ``rate``: jobs a second that the known limits allow, None if none is known.
        """
        if in_flight < self.cap:
            return now
        if self.cap >= self.ceiling:
            return math.inf
        if now < self._not_before:
            return self._not_before
        if self._refused:
            self._raise(self.cap + 1, now)
            self._not_before = now + self._patience
            return now
        return self._grow(rate, now) if self.auto else math.inf

    def left_room(self) -> None:
        """Note that something else binds: what is measured now says nothing of the cap."""
        self._mark = None

    def succeeded(self, latency: float) -> None:
        """Note an answer and the seconds it took."""
        self._answers += 1
        self.latency += max(1 / self._answers, 0.02) * (latency - self.latency)

    def refused(self, others: int, now: float) -> None:
        """Note a refusal for the number in flight, with ``others`` in flight beside the refused job."""
        in_vain = self._refused and others == self.cap - 1
        self._patience = self._patience * 2 if in_vain else self._patience
        self._refused = True
        self.cap = max(1, min(self.cap, others))
        self._not_before = now + self._patience

    def _grow(self, rate: float | None, now: float) -> float:
        if self._mark is None:
            self._mark = (now, self._answers)
        began, answers = self._mark
        if self.cap < FIRST_CAP:
            due = now if self._answers - answers >= self.cap else began + _OPENING
            return self._due(due, min(FIRST_CAP, 2 * self.cap), now)
        if not self._answers:
            return self._due(began + _STEP, self.cap + FIRST_CAP, now)
        wanted = self._wanted(rate)
        if wanted <= self.cap:
            return math.inf
        throughput = self._throughput(rate, now)
        if throughput is None:
            return math.inf
        if self._before is not None and throughput < _GAIN * self._before[1]:
            self.cap = self._before[0]
            self._not_before = now + _SETTLED
            self._mark = self._before = None
            return math.inf
        self._before = (self.cap, throughput)
        self._shows_after = self._answers + self.cap
        self._raise(wanted, now)
        return now

    def _throughput(self, rate: float | None, now: float) -> float | None:
        """Jobs a second with the cap as it is; None while that cannot be told: an answer may change it."""
        if self._before is None and rate is not None and self.latency > _STEP:
            return self.cap / self.latency
        if self._mark is None or self._answers < self._shows_after:
            self._mark = None
            return None
        began, answers = self._mark
        if self._answers < max(answers, self._counted) + self.cap:
            return None
        self._counted = self._answers
        return None if now < began + _WINDOW else (self._answers - answers) / (now - began)

    def _wanted(self, rate: float | None) -> int:
        if rate is None:
            return 2 * self.cap
        wanted = math.ceil(_SPARE * rate * self.latency)
        return wanted if self.latency > _STEP else min(wanted, 2 * self.cap)

    def _due(self, at: float, cap: int, now: float) -> float:
        if now >= at:
            self._shows_after = self._answers + self.cap
            self._raise(cap, now)
        return max(at, now)

    def _raise(self, cap: int, now: float) -> None:
        self.cap = min(self.ceiling, cap)
        self._mark = (now, self._answers)
