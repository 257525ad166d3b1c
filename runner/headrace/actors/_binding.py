"""For how long each thing has been what keeps the next job from being sent."""

from __future__ import annotations

import math
from collections import defaultdict

import attrs

from headrace.pacing import Bottleneck

_LATE = 0.005
"""Seconds: waking up so much later than planned is the client's doing."""


@attrs.define
class BottleneckTimer:
    """Adds up the time between two looks under what was binding at the first. Pure."""

    bottleneck: Bottleneck = "source"
    sleeps_until: float = math.inf
    seconds: defaultdict[Bottleneck, float] = attrs.field(
        factory=lambda: defaultdict[Bottleneck, float](float)
    )
    _looked_at: float | None = None

    def woke(self, now: float) -> None:
        """Note that the dispatcher looks at what may be sent."""
        if self._looked_at is not None:
            late = now - max(self.sleeps_until, self._looked_at)
            late = late if late > _LATE else 0.0
            self.seconds["client"] += late
            self.seconds[self.bottleneck] += now - self._looked_at - late
        self._looked_at = now
        self.sleeps_until = math.inf
