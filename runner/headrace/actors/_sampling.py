"""Which answers' rate-limit headers are read: reading all of them would cost more than sending a job."""

from __future__ import annotations

from collections.abc import Callable

import attrs

from headrace_client.lowlevel import RateLimits, Response, rate_limits

INTERVAL = 0.05
"""Seconds between two answers of one model that are looked at; a refusal always is."""


@attrs.define
class HeaderSampler:
    """Shared by the workers of a run."""

    _wall_clock: Callable[[], float]
    """Seconds since the epoch: a reset may be a date."""
    _due: dict[str, float] = attrs.field(factory=dict[str, float])

    def read(self, model: str, answer: Response) -> RateLimits | None:
        """Return what an answer says of the limits, or None if it is too soon after the last one."""
        now = answer.finished_at
        if answer.status != 429 and now < self._due.get(model, now):
            return None
        self._due[model] = now + INTERVAL
        return rate_limits(answer.headers, self._wall_clock())
