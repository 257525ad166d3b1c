"""A limit of the server as we see it through the headers of its answers. Pure.

1. What a header says is an interval. ``remaining`` is rounded, and it is of the moment the answer ended or
   of the moment the request came in, nobody says which; in the second case what has been sent and what
   has flowed in since then must be added. The level kept here moves to the nearest point of the interval:
   taking the smaller of the two would ratchet down with many requests in flight.
2. Two readings and what was sent in between give what flowed in: less than the limit says if others use
   the same key.
3. The depth of a bucket is told by nobody: it is at least the most that was ever left in it.
"""

from __future__ import annotations

import math

import attrs

from headrace_client._ratelimit import Limit

from ._bucket import Bucket

_SHALLOW = 8.0
"""A bucket of fewer units runs over between two of our requests: its readings do not show the inflow."""
_NEARLY_FULL = 0.9
_CERTAINTY = 20.0
"""A window is long enough when the rounding is so many times smaller than what should have flowed in."""
_WINDOW = (1.0, 10.0)
"""Seconds: the shortest and the longest window for the inflow."""
_LEAST = 0.02
"""The share of a limit that we always count on."""
_MARGIN = 0.1
"""The share of a deep bucket that is left in it, for what others take between two readings..."""
_MARGIN_SECONDS = 0.25
"""... but no more than flows in within this time."""
_JITTER = 0.985
"""How close to the limit a shallow bucket is driven: a request that comes a millisecond early is refused."""


@attrs.define(kw_only=True)
class ServerBucket:
    """One limit of the server. ``rounding``: how coarse ``remaining`` is told."""

    limit: float
    """A minute."""
    rounding: float
    bucket: Bucket
    inflow: float
    """What flows in for us, a second."""
    factor: float = 1.0
    """Lowered by refusals of a shallow bucket."""
    spent: float = 0.0
    """All that was ever taken for jobs."""
    _seen: tuple[float, float, float] | None = None
    """The reading at which the window began: time, remaining, spent."""
    _ran_over: bool = False

    @classmethod
    def first_seen(cls, reading: Limit, *, rounding: float, now: float) -> ServerBucket:
        """Begin with the first reading: with what is left for certain."""
        limit, remaining = float(reading.limit or 0), float(reading.remaining or 0)
        rate = limit / 60
        depth = max(1.0, remaining)
        level = max(0.0, remaining - rounding / 2)
        self = cls(limit=limit, rounding=rounding, inflow=rate, bucket=Bucket(rate, depth, level, now))
        self._tune(depth, now)
        self._seen = (now, remaining, 0.0)
        return self

    @property
    def margin(self) -> float:
        """What is left in the bucket on purpose."""
        depth = self.bucket.depth
        return min(_MARGIN * depth, _MARGIN_SECONDS * self.inflow) if depth >= _SHALLOW else 0.0

    def ready_at(self, amount: float, now: float) -> float:
        """Return the time from which ``amount`` may be taken."""
        return self.bucket.ready_at(amount + self.margin, now)

    def take(self, amount: float) -> None:
        """Debit what a job is expected to take, or correct it afterwards."""
        self.spent += amount
        self.bucket.take(amount)

    def observe(
        self, reading: Limit, *, sent_since: float, waited: float, pending: float, now: float
    ) -> None:
        """Take in what an answer's headers say.

        ``sent_since``: what was taken for jobs that were sent after the one that is answered, ``waited``
        seconds ago. ``pending``: what has been taken ahead of what the server counts only in the end.
        """
        if reading.limit and reading.limit != self.limit:
            self._relimit(float(reading.limit), now)
        if reading.remaining is None:
            return
        remaining = float(reading.remaining)
        self._measure(remaining, now)
        self._tune(max(self.bucket.depth, remaining), now)
        at_start = remaining + self.inflow * waited - sent_since
        low = min(remaining, at_start) - pending - self.rounding / 2
        high = max(remaining, at_start) + max(1.0, self.rounding / 2)
        self.bucket.level = min(self.bucket.depth, max(low, min(self.bucket.level, high)))

    def refused(self, reading: Limit | None, now: float) -> None:
        """Take in that the server has refused: what it says is left is all that can be there."""
        remaining = float(reading.remaining or 0) if reading is not None else 0.0
        self.bucket.level = min(self.bucket.refill(now), max(0.0, remaining - self.rounding / 2))
        if self.bucket.depth < _SHALLOW and remaining < 1:
            self.factor = max(_LEAST, self.factor * 0.95)
            self._tune(self.bucket.depth, now)

    def _relimit(self, limit: float, now: float) -> None:
        self.limit = limit
        self.inflow = limit / 60
        self.factor = 1.0
        self._seen = None
        self._tune(1.0, now)

    def _tune(self, depth: float, now: float) -> None:
        rate = self.inflow * (self.factor * _JITTER if depth < _SHALLOW else 1.0)
        self.bucket.retune(rate, depth, now)

    def _measure(self, remaining: float, now: float) -> None:
        """Compare with the reading at which the window began, if that is long enough ago."""
        depth, nominal = self.bucket.depth, self.limit / 60
        if depth < _SHALLOW:
            return
        self._ran_over = self._ran_over or remaining >= _NEARLY_FULL * depth
        if self._seen is None:
            self._seen = (now, remaining, self.spent)
        since, before, spent = self._seen
        shortest, longest = _WINDOW
        window = min(longest, max(shortest, _CERTAINTY * self.rounding / nominal))
        if now - since < window:
            return
        found = (remaining - before + self.spent - spent) / (now - since)
        if not self._ran_over or found > self.inflow:
            aim = min(nominal, max(_LEAST * nominal, found))
            self.inflow += (aim - self.inflow) / 2
        elif math.isclose(remaining, depth, rel_tol=1 - _NEARLY_FULL):
            self.inflow = nominal
        self._seen = (now, remaining, self.spent)
        self._ran_over = False
