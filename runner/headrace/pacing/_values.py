"""The small values of pacing: resources, costs, bottlenecks, and the limits that the user states. Pure."""

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

``requests``, ``input``, ``output``: that rate limit. ``concurrency``: the maximum number of jobs in flight.
``server``: it refuses requests, it is down, or its rate limit is still being searched for. ``source``: there
is no job to send. ``client``: this process is behind with its own work.
"""

RateLimitReason = Literal["bucket", "ramp", "concurrency"]
"""What a 429 (other than for spending) is about: the rate, how fast it rises, or the jobs in flight."""

_OPTIONS: dict[Resource, str] = {"requests": "rpm", "input": "itpm", "output": "otpm"}


def rate_limit_reason(code: str | None) -> RateLimitReason:
    """Return what a 429 is about, by the failure's code."""
    if code == "concurrency":
        return "concurrency"
    return "ramp" if code == "ramp_limit_exceeded" else "bucket"


@attrs.frozen(kw_only=True)
class StatedLimits:
    """Limits that the user states, for each model; None: only the server's limits apply.

    ``rpm``, ``itpm``, ``otpm``: the maximum number of requests, input tokens and output tokens per minute.
    The server's limits apply as well: the lower of the two decides. ``share``: the part of the server's
    limits that may be used, above 0 and at most 1; 0.5 leaves half of each to other programs with the same
    key. It does not lower the other three, and it has no effect if the server reports no limits.

    Raises `RunRefused` for a limit or a share outside these bounds.
    """

    rpm: float | None = None
    itpm: float | None = None
    otpm: float | None = None
    share: float = 1.0

    def __attrs_post_init__(self) -> None:
        for resource in RESOURCES:
            limit = self.per_minute(resource)
            if limit is not None and not limit > 0:
                raise RunRefused(f"{_OPTIONS[resource]}={limit:g}: the limit per minute must be above 0")
        if not 0 < self.share <= 1:
            raise RunRefused(f"share={self.share:g}: must be above 0 and at most 1, such as 0.5")

    def per_minute(self, resource: Resource) -> float | None:
        """Return the stated limit of a resource."""
        return {"requests": self.rpm, "input": self.itpm, "output": self.otpm}[resource]


def readings(limits: RateLimits) -> dict[Resource, Limit]:
    """Return the limits that apply, from the headers of a response.

    Anthropic's ``tokens`` repeats the scarcer one of its two token limits; OpenAI has no other.
    """
    named: dict[Resource, Limit | None] = {
        "requests": limits.requests,
        "input": limits.input_tokens or (None if limits.output_tokens else limits.tokens),
        "output": limits.output_tokens,
    }
    return {resource: limit for resource, limit in named.items() if limit is not None and limit.limit}
