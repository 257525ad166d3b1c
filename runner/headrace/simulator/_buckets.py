"""Token buckets with continuous refill, as providers enforce their limits. Pure: ``now`` is an argument.

1. A bucket gains ``rate`` units per second up to ``depth``. There is no window that resets.
2. Use that is only known later (the true input, the output as it is generated) is debited all the same. It
   may take the level below zero, and the debt delays the next admission.
3. A demand larger than the depth is granted when the bucket is full. Otherwise it would never be.
"""

from __future__ import annotations

import math
from typing import Literal

import attrs

from ._profile import BucketLimit, ProviderLimits, Ramp

Resource = Literal["requests", "input", "output"]

_EPSILON = 1e-9  # after exactly the wait that was returned, the amount must be there, whatever the rounding


@attrs.frozen(kw_only=True)
class BucketState:
    """What rate-limit headers report: the limit per minute, what is left, the seconds until it is full."""

    limit: int
    remaining: float
    full_in: float


@attrs.define
class Bucket:
    """One bucket: its ``level`` at the time ``updated_at``. Times are seconds on any monotonic clock."""

    limit: BucketLimit
    level: float
    updated_at: float

    @classmethod
    def full(cls, limit: BucketLimit, now: float) -> Bucket:
        """Return a full bucket."""
        return cls(limit, limit.depth, now)

    @property
    def rate(self) -> float:
        """The refill that this client gets, in units per second."""
        return self.limit.per_minute / 60 * (1 - self.limit.others)

    def refill(self, now: float) -> float:
        """Update the level to ``now`` and return it."""
        if now > self.updated_at:
            self.level = min(self.limit.depth, self.level + (now - self.updated_at) * self.rate)
            self.updated_at = now
        return self.level

    def seconds_until(self, amount: float, now: float) -> float:
        """Return the seconds until ``amount`` can be taken: 0 if it can be taken now, infinite if never."""
        missing = min(amount, self.limit.depth) - self.refill(now)
        if missing <= _EPSILON:
            return 0.0
        return missing / self.rate if self.rate > 0 else math.inf

    def take(self, amount: float, now: float) -> None:
        """Debit an amount (negative: credit it). The level may fall below zero but not exceed the depth."""
        self.level = min(self.limit.depth, self.refill(now) - amount)

    def drain(self, amount: float, now: float) -> None:
        """Debit at most what is left of an amount."""
        self.level = max(min(self.level, 0.0), self.refill(now) - amount)

    def change_limit(self, limit: BucketLimit, now: float) -> None:
        """Apply another limit. What exceeds its depth is lost."""
        self.refill(now)
        self.limit = limit
        self.level = min(self.level, limit.depth)

    def state(self, now: float) -> BucketState:
        """Return the values of the rate-limit headers."""
        level = self.refill(now)
        inflow = self.limit.per_minute / 60
        return BucketState(
            limit=int(self.limit.per_minute),
            remaining=max(0.0, level),
            full_in=(self.limit.depth - level) / inflow if inflow else math.inf,
        )


@attrs.frozen(kw_only=True)
class Shortage:
    """Why a request was not admitted: the scarcest resource, its limit, and the seconds until it suffices."""

    resource: Resource
    limit: int
    wait: float


class Quota:
    """The three buckets of one model class."""

    def __init__(self, limits: ProviderLimits, now: float) -> None:
        self.limits = limits
        self.requests = Bucket.full(limits.requests, now)
        self.input = Bucket.full(limits.input, now)
        self.output = Bucket.full(limits.output, now)

    def change_limits(self, limits: ProviderLimits, now: float) -> None:
        """Apply other limits."""
        self.limits = limits
        self.requests.change_limit(limits.requests, now)
        self.input.change_limit(limits.input, now)
        self.output.change_limit(limits.output, now)

    def admit(self, input_tokens: float, now: float) -> Shortage | None:
        """Debit one request and its input if all three buckets allow it, else return what is short."""
        demands: tuple[tuple[Resource, Bucket, float], ...] = (
            ("requests", self.requests, 1),
            ("input", self.input, input_tokens),
            ("output", self.output, 1),
        )
        resource, bucket, amount = max(demands, key=lambda demand: demand[1].seconds_until(demand[2], now))
        if wait := bucket.seconds_until(amount, now):
            return Shortage(resource=resource, limit=int(bucket.limit.per_minute), wait=wait)
        self.requests.take(1, now)
        self.input.take(input_tokens, now)
        return None


class AccelerationLimit:
    """Bounds how fast traffic may rise: it compares the rate of the last second with that of the last minute.

    Each rate is an exponentially decaying count, divided by its time constant.
    """

    _FAST = 1.0  # seconds
    _SLOW = 60.0  # seconds

    def __init__(self, now: float) -> None:
        self._fast = 0.0
        self._slow = 0.0
        self._at = now

    def admit(self, ramp: Ramp, now: float) -> bool:
        """Return whether a request stays within the ramp, and count it if so."""
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
