"""Token buckets with continuous refill, as providers enforce their limits. Pure: ``now`` is an argument.

1. A bucket gains ``rate`` a second up to ``depth``; there is no window that resets.
2. What is known only afterwards (the true input, the output as it comes out) is debited all the
   same and may take the level below zero: the debt delays the next admission.
3. A demand larger than the depth passes when the bucket is full, or it would never pass.
"""

from __future__ import annotations

import math
from typing import Literal

import attrs

from ._profile import Limit, Limits, Ramp

Resource = Literal["requests", "input", "output"]

_EPSILON = 1e-9  # waiting for exactly the time we named must be enough, whatever the rounding


@attrs.frozen(kw_only=True)
class BucketState:
    """What a bucket tells the outside: its limit a minute, what is left, and the seconds until it is full."""

    limit: int
    remaining: float
    full_in: float


@attrs.define
class Bucket:
    """One bucket: ``level`` as it was at time ``at``. Times are seconds on any monotonic clock."""

    limit: Limit
    level: float
    at: float

    @classmethod
    def full(cls, limit: Limit, now: float) -> Bucket:
        """Return a bucket that nobody has drawn from."""
        return cls(limit, limit.depth, now)

    @property
    def rate(self) -> float:
        """What flows in for us, a second."""
        return self.limit.per_minute / 60 * (1 - self.limit.others)

    def refill(self, now: float) -> float:
        """Bring the level up to ``now`` and return it."""
        if now > self.at:
            self.level = min(self.limit.depth, self.level + (now - self.at) * self.rate)
            self.at = now
        return self.level

    def wait(self, amount: float, now: float) -> float:
        """Return the seconds until ``amount`` can be taken: 0 if it can be now, infinite if never."""
        missing = min(amount, self.limit.depth) - self.refill(now)
        if missing <= _EPSILON:
            return 0.0
        return missing / self.rate if self.rate > 0 else math.inf

    def take(self, amount: float, now: float) -> None:
        """Debit (or, if negative, give back) an amount, below zero if need be, never above the depth."""
        self.level = min(self.limit.depth, self.refill(now) - amount)

    def drain(self, amount: float, now: float) -> None:
        """Debit an amount as far as there is something left."""
        self.level = max(min(self.level, 0.0), self.refill(now) - amount)

    def retune(self, limit: Limit, now: float) -> None:
        """Go on under another limit; what is above the new depth is lost."""
        self.refill(now)
        self.limit = limit
        self.level = min(self.level, limit.depth)

    def read(self, now: float) -> BucketState:
        """Return what the rate-limit headers are made of."""
        level = self.refill(now)
        inflow = self.limit.per_minute / 60
        return BucketState(
            limit=int(self.limit.per_minute),
            remaining=max(0.0, level),
            full_in=(self.limit.depth - level) / inflow if inflow else math.inf,
        )


@attrs.frozen(kw_only=True)
class Shortage:
    """Why a request was not admitted: what lacks most, its limit, and the seconds until it would pass."""

    resource: Resource
    limit: int
    wait: float


class Quota:
    """The three buckets of one model class."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.limits = limits
        self.requests = Bucket.full(limits.requests, now)
        self.input = Bucket.full(limits.input, now)
        self.output = Bucket.full(limits.output, now)

    def retune(self, limits: Limits, now: float) -> None:
        """Go on under other limits."""
        self.limits = limits
        self.requests.retune(limits.requests, now)
        self.input.retune(limits.input, now)
        self.output.retune(limits.output, now)

    def admit(self, input_tokens: float, now: float) -> Shortage | None:
        """Debit one request and its input if all three buckets allow it, else say what is short."""
        demands: tuple[tuple[Resource, Bucket, float], ...] = (
            ("requests", self.requests, 1),
            ("input", self.input, input_tokens),
            ("output", self.output, 1),
        )
        resource, bucket, amount = max(demands, key=lambda demand: demand[1].wait(demand[2], now))
        if wait := bucket.wait(amount, now):
            return Shortage(resource=resource, limit=int(bucket.limit.per_minute), wait=wait)
        self.requests.take(1, now)
        self.input.take(input_tokens, now)
        return None


class AccelerationLimit:
    """Bounds the rise of traffic: the rate of the last second against that of the last minute.

    Both are exponentially decaying counts (their sums divided by their time constants).
    """

    _FAST = 1.0
    _SLOW = 60.0

    def __init__(self, now: float) -> None:
        self._fast = 0.0
        self._slow = 0.0
        self._at = now

    def admit(self, ramp: Ramp, now: float) -> bool:
        """Count one request if the rise stays within the ramp."""
        elapsed = max(0.0, now - self._at)
        self._at = now
        self._fast *= math.exp(-elapsed / self._FAST)
        self._slow *= math.exp(-elapsed / self._SLOW)
        allowed = max(ramp.floor, ramp.factor * self._slow / self._SLOW)
        if (self._fast + 1) / self._FAST > allowed:
            return False
        self._fast += 1
        self._slow += 1
        return True
