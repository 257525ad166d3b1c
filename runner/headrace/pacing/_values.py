"""The small values of pacing: resources, costs, what binds, and what the user states. Pure."""

from __future__ import annotations

from typing import Literal

import attrs

from headrace._exceptions import RunRefused
from headrace_client.lowlevel import Limit, RateLimits

Resource = Literal["requests", "input", "output"]
RESOURCES: tuple[Resource, ...] = ("requests", "input", "output")

Cost = tuple[float, float, float]
"""What one job takes from each of the `RESOURCES`."""

Bottleneck = Literal["requests", "input", "output", "concurrency", "source", "client", "server"]
"""What keeps the next job from being sent.

``requests``, ``input``, ``output``: that rate limit. ``concurrency``: the cap on what is in flight.
``server``: it has refused, is out of order, or a rate is being found by trial. ``source``: there is no job
to send. ``client``: this process is behind with its own work.
"""

RateLimitReason = Literal["bucket", "ramp", "concurrency"]
"""What a 429 that is no spend limit complains about: the rate, its rise, or what is in flight."""


def rate_limit_reason(code: str | None) -> RateLimitReason:
    """Tell apart the kinds of 429 by the code of the failure."""
    if code == "concurrency":
        return "concurrency"
    return "ramp" if code == "ramp_limit_exceeded" else "bucket"


@attrs.frozen(kw_only=True)
class StatedLimits:
    """Limits that the user states, for each model; None: whatever the server says.

    ``rpm``, ``itpm``, ``otpm``: requests, input tokens and output tokens a minute at most. The server's own
    limits hold all the same, and the lower of the two decides. ``share``: the part of the server's limits
    that may be used, above 0 and at most 1: 0.5 leaves half of each to others on the same key. It does not
    lower what is stated by the first three, and does nothing where the server tells no limits.

    Raises `RunRefused` for a limit that is not above 0, or a share that is no such part.
    """

    rpm: float | None = None
    itpm: float | None = None
    otpm: float | None = None
    share: float = 1.0

    def __attrs_post_init__(self) -> None:
        for resource in RESOURCES:
            limit = self.per_minute(resource)
            if limit is not None and not limit > 0:
                raise RunRefused(f"a limit of {limit:g} {resource} a minute lets nothing through")
        if not 0 < self.share <= 1:
            raise RunRefused(f"share={self.share:g}: give the part of the limits to use, such as 0.5")

    def per_minute(self, resource: Resource) -> float | None:
        """What the user states for a resource."""
        return {"requests": self.rpm, "input": self.itpm, "output": self.otpm}[resource]


def readings(limits: RateLimits) -> dict[Resource, Limit]:
    """Pick the limits that bind from the headers of an answer.

    Anthropic's ``tokens`` repeats the scarcer of its two token limits; OpenAI's is the only one it has.
    """
    named: dict[Resource, Limit | None] = {
        "requests": limits.requests,
        "input": limits.input_tokens or (None if limits.output_tokens else limits.tokens),
        "output": limits.output_tokens,
    }
    return {resource: limit for resource, limit in named.items() if limit is not None and limit.limit}
