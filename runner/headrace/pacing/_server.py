"""A rate limit of the server as its responses' headers show it. Pure. Times in seconds, rates per second.

1. A header gives an interval, not a number. ``remaining`` is rounded, and it refers to the moment at which
   the response ended or to the one at which the request arrived: no provider says which. In the second case,
   what has been sent since must be subtracted and what has flowed in must be added. The level kept here moves
   to the nearest point of that interval. To take the smaller of the two would lower it further with every
   response while many requests are in flight.
2. Two readings and what was sent between them show what has flowed in. If that is less than the limit says,
   other programs use the same key.
3. No header reports the depth of a bucket. It is at least the highest ``remaining`` ever seen.
4. A shallow bucket overflows between two requests, and what is in flight has not been taken
   from it yet. So a reading never raises the level of a shallow bucket: it fills by itself within a moment.
5. What the server sets aside beyond the cost of a job, it gives back before the job's response. A reading
   that shows this raises the level at once. The response then gives back only what no reading has shown.
"""

from __future__ import annotations

import math

import attrs

from headrace_client.lowlevel import Limit

from ._bucket import Bucket

_SHALLOW = 8.0
"""Units: a bucket with a smaller depth is shallow. Its readings do not show the inflow either."""
_NEARLY_FULL = 0.9
"""A share of the depth: a fuller bucket may overflow, so its readings do not show the inflow."""
_OVERFLOW_GAIN = 1.05
"""The factor by which the assumed inflow rises if the bucket is nearly full all the same."""
_SIGNIFICANCE = 2.0
"""A window ends early if this many times the uncertainty is missing."""
_MIN_WINDOW = 0.5
"""The shortest time over which the inflow is measured..."""
_FULL_WINDOW = 10.0
"""... and the time after which a difference as large as the uncertainty is enough."""
_WEIGHT = 0.7
"""The weight of the latest window in the assumed inflow."""
_MIN_SHARE = 0.02
"""The share of a limit that is always assumed to be available, so that sending never stops for good."""
_MARGIN_SHARE = 0.1
"""The share of a deep bucket that is left in it, for what other programs take between two readings..."""
_MARGIN_SECONDS = 0.25
"""... but no more than flows in within this time."""
_SHALLOW_RATE = 0.985
"""The share of a limit at which a shallow bucket is used: a request a millisecond too early is refused."""
_REFUSAL_FACTOR = 0.95
"""Applied to that share at each refusal."""


@attrs.frozen
class Traffic:
    """What one model, or several together, have sent that a reading may not show. In units of a limit.

    ``sent_since``: taken for jobs sent after the one of the reading. ``pending``: taken for jobs in flight
    that the server counts only at their end. ``withheld``: what the server may have set aside for the latest
    jobs beyond their cost; ``in_flight``: the same for all jobs in flight.
    """

    sent_since: float = 0.0
    pending: float = 0.0
    withheld: float = 0.0
    in_flight: float = 0.0

    def __add__(self, other: Traffic) -> Traffic:
        return Traffic(
            self.sent_since + other.sent_since,
            self.pending + other.pending,
            self.withheld + other.withheld,
            self.in_flight + other.in_flight,
        )


@attrs.define(kw_only=True)
class ServerBucket:
    """One limit of the server."""

    limit: float
    """Units per minute."""
    rounding: float
    """The unit to which ``remaining`` is rounded in the headers; 0 if it is exact."""
    bucket: Bucket
    inflow: float
    """Units per second that flow in for this process."""
    sharers: int = 1
    """The models that take from the bucket."""
    factor: float = 1.0
    """Lowered by refusals of a shallow bucket."""
    _lowered_at: float = -math.inf
    """A refusal of a job sent before this time says nothing new."""
    spent: float = 0.0
    """Everything ever taken for jobs."""
    _returned_early: float = 0.0
    """What readings have given back of what was set aside for jobs that are still in flight (rule 5)."""
    _window: tuple[float, float, float] | None = None
    """The reading at which the window began: its time, ``remaining``, and what was spent by then."""

    @classmethod
    def first_seen(
        cls, reading: Limit, *, rounding: float, now: float, sent_since: float = 0.0
    ) -> ServerBucket:
        """Return a bucket that starts with its first reading. ``sent_since``: see `Traffic`."""
        limit, remaining = float(reading.limit or 0), float(reading.remaining or 0)
        rate = limit / 60
        depth = max(1.0, remaining)
        self = cls(limit=limit, rounding=rounding, inflow=rate, bucket=Bucket(rate, depth, remaining, now))
        self._retune(depth, now)
        self._window, self._lowered_at = (now, remaining, 0.0), now
        self.bucket.take(sent_since)
        return self

    @property
    def margin(self) -> float:
        """What is left in the bucket on purpose."""
        depth = self.bucket.depth
        if depth < _SHALLOW * max(1.0, self.rounding):
            return 0.0 if depth < _SHALLOW else _MARGIN_SHARE * depth
        return max(min(_MARGIN_SHARE * depth, _MARGIN_SECONDS * self.inflow), self.rounding / 2)

    @property
    def room(self) -> float:
        """What each of the models may take at once."""
        return (self.bucket.level - self.margin) / self.sharers

    def ready_at(self, amount: float, now: float) -> float:
        """Return when ``amount`` may be taken."""
        return self.bucket.ready_at(amount + self.margin, now)

    def take(self, reserve: float, cost: float) -> None:
        """Take what the server sets aside for a job, and note what it is expected to cost."""
        self.spent += cost
        self.bucket.take(reserve)

    def settle(self, reserve: float, cost: float, spent: float) -> None:
        """Replace what was set aside and expected for a job by what it actually cost."""
        self.spent += spent - cost
        shown = max(0.0, min(self._returned_early, reserve - spent))
        self._returned_early -= shown
        self.bucket.take(spent - reserve + shown)

    def observe(self, reading: Limit, traffic: Traffic, *, waited: float, now: float) -> bool:
        """Take the headers of a response into account; return whether the limit itself has changed.

        ``waited``: seconds since its job was sent.
        """
        has_changed = bool(reading.limit) and reading.limit != self.limit
        if has_changed:
            self._change_limit(float(reading.limit or 0), now)
        if reading.remaining is not None:
            self._reconcile(float(reading.remaining), traffic, waited, now)
        return has_changed

    def _reconcile(self, remaining: float, traffic: Traffic, waited: float, now: float) -> None:
        self._measure_inflow(remaining - traffic.pending, self.rounding + traffic.withheld, now)
        self._retune(max(self.bucket.depth, remaining), now)
        at_arrival = remaining + self.inflow * waited - traffic.sent_since
        low = min(remaining, at_arrival - traffic.withheld) - traffic.pending - self.rounding / 2
        high = max(remaining, at_arrival) + max(1.0, self.rounding / 2)
        level = min(self.bucket.depth, self.bucket.level, high)
        if self.bucket.depth >= _SHALLOW and low > level:
            self._returned_early = min(traffic.in_flight, self._returned_early + low - level)
            level = low
        self.bucket.level = level

    def merge(self, other: ServerBucket, now: float) -> None:
        """Take into account that another bucket is of the same limit: what was missing is explained now."""
        level = min(self.bucket.refill(now), other.bucket.refill(now))
        self.inflow = self.limit / 60
        self._window = None
        self._returned_early += other._returned_early
        self._retune(max(self.bucket.depth, other.bucket.depth), now)
        self.bucket.level = level

    def refused(self, reading: Limit, started_at: float, now: float) -> None:
        """Note that a job sent at ``started_at`` was refused: no more is left than its headers say."""
        remaining = float(reading.remaining or 0)
        self.bucket.level = min(self.bucket.refill(now), max(0.0, remaining - self.rounding / 2))
        if self.bucket.depth < _SHALLOW and remaining < 1 and started_at > self._lowered_at:
            self._lowered_at = now
            self.factor = max(_MIN_SHARE, self.factor * _REFUSAL_FACTOR)
            self._retune(self.bucket.depth, now)

    def _change_limit(self, limit: float, now: float) -> None:
        self.limit = limit
        self.inflow = limit / 60
        self.factor = 1.0
        self._window = None
        self._retune(1.0, now)

    def _retune(self, depth: float, now: float) -> None:
        rate = self.inflow * (self.factor * _SHALLOW_RATE if depth < _SHALLOW else 1.0)
        self.bucket.retune(rate, depth, now)

    def _measure_inflow(self, remaining: float, noise: float, now: float) -> None:
        """Compare with the reading at which the window began, once the difference is significant."""
        depth, nominal = self.bucket.depth, self.limit / 60
        if depth < _SHALLOW:
            return
        if self._window is None or remaining >= _NEARLY_FULL * depth:
            if self._window is not None:  # it overflows
                self.inflow = min(nominal, self.inflow * _OVERFLOW_GAIN)
            self._window = (now, remaining, self.spent)
            return
        since, before, spent = self._window
        elapsed = now - since
        flowed_in = remaining - before + self.spent - spent
        missing = self.inflow * elapsed - flowed_in
        uncertainty = max(1.0, noise)
        is_early = elapsed >= _MIN_WINDOW and missing > _SIGNIFICANCE * uncertainty
        if is_early or (elapsed >= _FULL_WINDOW and abs(missing) > uncertainty):
            measured = min(nominal, max(_MIN_SHARE * nominal, flowed_in / elapsed))
            self.inflow += (measured - self.inflow) * _WEIGHT
            self._window = (now, remaining, self.spent)
