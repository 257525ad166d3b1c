"""A token bucket, for limits of the server and of the user. Pure. Times in seconds, rates per second."""

from __future__ import annotations

import math

import attrs

MAX_CATCH_UP = 0.05
"""Seconds of a rate that may be sent at once: with them a process that wakes up late makes up for it."""
_EPSILON = 1e-9
"""Units that may be missing, so that waiting until the time returned is enough whatever the rounding."""


@attrs.define
class Bucket:
    """Gains ``rate`` per second up to ``depth``; ``level`` is that of time ``at``.

    A demand larger than the depth is met when the bucket is full, and leaves it in debt.
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
        """Return when ``amount`` can be taken: ``now`` if it can be taken at once."""
        missing = min(amount, self.depth) - self.refill(now)
        if missing <= _EPSILON:
            return now
        return now + missing / self.rate if self.rate > 0 else math.inf

    def take(self, amount: float) -> None:
        """Take an amount, or give it back if it is negative."""
        self.level = min(self.depth, self.level - amount)

    def retune(self, rate: float, depth: float, now: float) -> None:
        """Change the rate and the depth."""
        self.refill(now)
        self.rate = rate
        self.depth = depth
        self.level = min(self.level, depth)
