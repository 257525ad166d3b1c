"""A limit of the server as we see it through the headers of its answers. Pure.

1. What a header says is an interval. ``remaining`` is rounded, and it is of the moment the answer ended or
   of the moment the request came in, nobody says which; in the second case what has been sent and what
   has flowed in since then must be added. The level kept here moves to the nearest point of the interval:
   taking the smaller of the two would ratchet down with many requests in flight.
2. Two readings and what was sent in between give what flowed in: less than the limit says if others use
   the same key.
3. The depth of a bucket is told by nobody: it is at least the most that was ever left in it.
4. A shallow bucket runs over between two of our requests, and what is on its way to the server has not been
   taken from it yet: a reading never raises the level of one. It fills by itself within a moment.
5. What the server sets aside beyond the cost of a job it gives back before the job is answered. A reading
   that shows it raises the level at once; the answer then gives back only what no reading has shown.
"""

from __future__ import annotations

import math

import attrs

from headrace_client.lowlevel import Limit

from ._bucket import Bucket

_SHALLOW = 8.0
"""A bucket of fewer units is shallow: its readings do not show the inflow either."""
_NEARLY_FULL = 0.9
_MORE = 1.05
_CERTAINTY = 2.0
"""So many times what is uncertain must be missing before a window ends early."""
_WINDOW = (0.5, 10.0)
"""Seconds: the shortest window for the inflow, and that from which on the uncertainty itself is enough."""
_WEIGHT = 0.7
"""Of what the latest window shows."""
_MIN_SHARE = 0.02
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
    _lowered_at: float = -math.inf
    """Refusals of jobs that had been sent by then say nothing new."""
    spent: float = 0.0
    """All that was ever taken for jobs."""
    _ahead: float = 0.0
    """What readings have given back of what was set aside for jobs that are still in flight."""
    _seen: tuple[float, float, float] | None = None
    """The reading at which the window began: time, remaining, spent."""

    @classmethod
    def first_seen(
        cls, reading: Limit, *, rounding: float, now: float, sent_since: float = 0.0
    ) -> ServerBucket:
        """Begin with the first reading. ``sent_since``: as in `observe`."""
        limit, remaining = float(reading.limit or 0), float(reading.remaining or 0)
        rate = limit / 60
        depth = max(1.0, remaining)
        self = cls(limit=limit, rounding=rounding, inflow=rate, bucket=Bucket(rate, depth, remaining, now))
        self._tune(depth, now)
        self._seen, self._lowered_at = (now, remaining, 0.0), now
        self.bucket.take(sent_since)
        return self

    @property
    def margin(self) -> float:
        """What is left in the bucket on purpose."""
        depth = self.bucket.depth
        if depth < _SHALLOW * max(1.0, self.rounding):
            return 0.0 if depth < _SHALLOW else _MARGIN * depth
        return max(min(_MARGIN * depth, _MARGIN_SECONDS * self.inflow), self.rounding / 2)

    @property
    def room(self) -> float:
        """What may be taken at once."""
        return self.bucket.level - self.margin

    def ready_at(self, amount: float, now: float) -> float:
        """Return the time from which ``amount`` may be taken."""
        return self.bucket.ready_at(amount + self.margin, now)

    def take(self, reserve: float, cost: float) -> None:
        """Debit what the server sets aside for a job, and note what it will come to; or correct both."""
        self.spent += cost
        self.bucket.take(reserve)

    def settle(self, reserve: float, cost: float, spent: float) -> None:
        """Put what a job has come to in the place of what was set aside, and expected, for it."""
        self.spent += spent - cost
        shown = max(0.0, min(self._ahead, reserve - spent))
        self._ahead -= shown
        self.bucket.take(spent - reserve + shown)

    def observe(
        self,
        reading: Limit,
        *,
        sent_since: float,
        waited: float,
        pending: float,
        withheld: float,
        in_flight: float,
        now: float,
    ) -> None:
        """Take in what an answer's headers say.

        ``sent_since``: what was taken for jobs that were sent after the one that is answered, ``waited``
        seconds ago. ``pending``: what has been taken ahead of what the server counts only in the end.
        ``withheld``: what it may have set aside for the youngest jobs beyond what they will cost;
        ``in_flight``: what we have set aside so for all that are in flight.
        """
        if reading.limit and reading.limit != self.limit:
            self._relimit(float(reading.limit), now)
        if reading.remaining is None:
            return
        remaining = float(reading.remaining)
        self._measure(remaining - pending, self.rounding + withheld, now)
        self._tune(max(self.bucket.depth, remaining), now)
        at_start = remaining + self.inflow * waited - sent_since
        low = min(remaining, at_start - withheld) - pending - self.rounding / 2
        high = max(remaining, at_start) + max(1.0, self.rounding / 2)
        level = min(self.bucket.depth, self.bucket.level, high)
        if self.bucket.depth >= _SHALLOW and low > level:
            self._ahead = min(in_flight, self._ahead + low - level)
            level = low
        self.bucket.level = level

    def refused(self, reading: Limit, started_at: float, now: float) -> None:
        """Take in that a job which was sent at ``started_at`` was refused: there is what the server says."""
        remaining = float(reading.remaining or 0)
        self.bucket.level = min(self.bucket.refill(now), max(0.0, remaining - self.rounding / 2))
        if self.bucket.depth < _SHALLOW and remaining < 1 and started_at > self._lowered_at:
            self._lowered_at = now
            self.factor = max(_MIN_SHARE, self.factor * 0.95)
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

    def _measure(self, remaining: float, noise: float, now: float) -> None:
        """Compare with the reading at which the window began, once the difference means something."""
        depth, nominal = self.bucket.depth, self.limit / 60
        if depth < _SHALLOW:
            return
        if self._seen is None or remaining >= _NEARLY_FULL * depth:
            if self._seen is not None:  # it runs over: there is more than we have counted on
                self.inflow = min(nominal, self.inflow * _MORE)
            self._seen = (now, remaining, self.spent)
            return
        since, before, spent = self._seen
        elapsed = now - since
        came = remaining - before + self.spent - spent
        missing = self.inflow * elapsed - came
        telling = max(1.0, noise)
        early = elapsed >= _WINDOW[0] and missing > _CERTAINTY * telling
        if early or (elapsed >= _WINDOW[1] and abs(missing) > telling):
            aim = min(nominal, max(_MIN_SHARE * nominal, came / elapsed))
            self.inflow += (aim - self.inflow) * _WEIGHT
            self._seen = (now, remaining, self.spent)
