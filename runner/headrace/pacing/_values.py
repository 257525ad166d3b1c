"""The small values of pacing: resources, costs, bottlenecks. Pure."""

from __future__ import annotations

from typing import Literal

from headrace.policy.options import Limits
from headrace_client.lowlevel import Limit, RateLimits

Resource = Literal["requests", "input", "output"]
RESOURCES: tuple[Resource, ...] = ("requests", "input", "output")

Cost = tuple[float, float, float]
"""What one job takes from each of the `RESOURCES`."""
NOTHING: Cost = (0.0, 0.0, 0.0)

Bottleneck = Literal["requests", "input", "output", "concurrency", "source", "client", "server"]
"""What keeps the next job from being sent.

``requests``, ``input``, ``output``: that rate limit. ``concurrency``: the maximum number of jobs in flight.
``server``: it refuses requests, it is down, or its rate limit is still being searched for. ``source``: there
is no job to send. ``client``: this process is behind with its own work.
"""

RateLimitReason = Literal["bucket", "ramp", "concurrency"]
"""What a 429 (other than for spending) is about: the rate, how fast it rises, or the jobs in flight."""


def minus(cost: Cost, other: Cost) -> Cost:
    """Return the difference of two costs."""
    return cost[0] - other[0], cost[1] - other[1], cost[2] - other[2]


def rate_limit_reason(code: str | None) -> RateLimitReason:
    """Return what a 429 is about, by the failure's code."""
    if code == "concurrency":
        return "concurrency"
    return "ramp" if code == "ramp_limit_exceeded" else "bucket"


def stated_per_minute(limits: Limits, resource: Resource) -> float | None:
    """Return the limit of a resource that the user states, None if there is none."""
    return {"requests": limits.rpm, "input": limits.itpm, "output": limits.otpm}[resource]


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
