"""A token bucket as we keep it: one unit of account for limits of the server and of the user. Pure."""

from __future__ import annotations

import math

import attrs

_EPSILON = 1e-9
"""Waiting for exactly the time that was named must be enough, whatever the rounding."""


@attrs.define
class Bucket:
    """Gains ``rate`` a second up to ``depth``; ``level`` as it was at time ``at``.

    A demand larger than the depth passes when the bucket is full, and leaves it in debt.
    """

    rate: float
    depth: float
    level: float
    at: float

    def refill(self, now: float) -> float:
        """Bring the level up to ``now`` and return it."""
        if now > self.at:
            self.level = min(self.depth, self.level + (now - self.at) * self.rate)
            self.at = now
        return self.level

    def ready_at(self, amount: float, now: float) -> float:
        """Return the time from which ``amount`` can be taken: ``now``, if it can be at once."""
        missing = min(amount, self.depth) - self.refill(now)
        if missing <= _EPSILON:
            return now
        return now + missing / self.rate if self.rate > 0 else math.inf

    def take(self, amount: float) -> None:
        """Debit an amount, or give it back if negative."""
        self.level = min(self.depth, self.level - amount)

    def retune(self, rate: float, depth: float, now: float) -> None:
        """Go on with another rate and depth."""
        self.refill(now)
        self.rate = rate
        self.depth = depth
        self.level = min(self.level, depth)
