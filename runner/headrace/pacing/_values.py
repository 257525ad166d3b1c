"""The small values of pacing: resources, costs, what binds, and what the user states. Pure."""

from __future__ import annotations

from typing import Literal

import attrs

from headrace_client._ratelimit import Limit, RateLimits

Resource = Literal["requests", "input", "output"]
RESOURCES: tuple[Resource, ...] = ("requests", "input", "output")

Cost = tuple[float, float, float]
"""What one job takes from each of the `RESOURCES`."""

Binding = Literal["requests", "input", "output", "concurrency", "source", "client", "server"]
"""What keeps the next job from being sent.

``requests``, ``input``, ``output``: that rate limit. ``concurrency``: the cap on what is in flight.
``server``: it has refused, is out of order, or a rate is being found by trial. ``source``: there is no job
to send. ``client``: this process is behind with its own work.
"""

Refusal = Literal["bucket", "ramp", "concurrency"]
"""What a 429 that is no spend limit complains about: the rate, its rise, or what is in flight."""


def refusal_of(code: str | None) -> Refusal:
    """Tell apart the kinds of 429 by the code of the failure."""
    if code == "concurrency":
        return "concurrency"
    return "ramp" if code == "ramp_limit_exceeded" else "bucket"


@attrs.frozen(kw_only=True)
class StatedLimits:
    """Limits that the user states, a minute and model; None: whatever the server says.

    ``share``: the part of each limit, the server's included, that this run may use.
    """

    rpm: float | None = None
    itpm: float | None = None
    otpm: float | None = None
    share: float = 1.0

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
