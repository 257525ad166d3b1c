"""What a simulated provider is like: limits, speed and faults, as frozen values.

A `Profile` describes one state of the world; a schedule of profiles describes how it changes.
Everything that is drawn by chance is drawn from the seed and the request, never from here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import attrs

FaultKind = Literal["429", "529", "500", "reset", "cut", "garbage", "hang", "html"]
"""What may go wrong with a request on purpose.

``429``, ``529``, ``500``: answered with that status. ``reset``: the connection ends before a byte
of the answer. ``cut``: it ends in the middle of the answer. ``garbage``: 200 and bytes that are no
JSON. ``hang``: no answer ever. ``html``: 200 and a proxy's error page.
"""

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@attrs.frozen(kw_only=True)
class Limit:
    """One token bucket: ``per_minute`` units flow in evenly, up to ``burst`` (default: a minute's worth).

    ``others``: the share of the inflow that other clients on the same key use up (0 to 1).
    """

    per_minute: float
    burst: float | None = None
    others: float = 0.0

    @property
    def depth(self) -> float:
        """The most that the bucket can hold; at least one unit, or nothing could ever pass."""
        return max(1.0, self.per_minute if self.burst is None else self.burst)


@attrs.frozen(kw_only=True)
class Limits:
    """The three limits of a model class: requests, input tokens and output tokens."""

    requests: Limit = Limit(per_minute=240_000, burst=4_000)
    input: Limit = Limit(per_minute=240_000_000)
    output: Limit = Limit(per_minute=240_000_000)


@attrs.frozen(kw_only=True)
class Ramp:
    """How steep a rise of traffic is accepted, in requests a second.

    ``floor`` is always accepted, beyond it ``factor`` times the rate of the last minute.
    """

    floor: float = 10.0
    factor: float = 2.0


def _shares(faults: Mapping[FaultKind, float]) -> Mapping[FaultKind, float]:
    if unknown := faults.keys() - set(FAULT_KINDS):
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; there are {', '.join(FAULT_KINDS)}")
    if not all(0 <= share <= 1 for share in faults.values()) or math.fsum(faults.values()) > 1:
        raise ValueError("the shares of faults lie between 0 and 1, and so does their sum")
    return dict(faults)


@attrs.frozen(kw_only=True)
class Profile:
    """One state of the simulated provider. Times are seconds, speeds are tokens a second.

    ``ttft``: the least time to the first token; up to ``ttft_jitter`` times as much is added by chance.
    ``output_tokens``: the answer's natural length is drawn from this closed range; a smaller
    ``max_tokens`` cuts it. ``event_tokens``: tokens a streamed event carries. ``debit_interval``: seconds
    between two debits of the output of an answer that is not streamed.
    ``model_limits``: models with buckets of their own; all the others share ``limits``.
    ``known_models``: the only models that exist (default: any name is served).
    ``required_key``: the key to present (default: none needed); ``reject_keys``: none is good.
    ``faults``: the share of requests that meet each fault. ``dead``: every connection is reset.
    ``spend_cap``: this many requests are accepted, then the spend limit is reached.
    ``concurrency``: requests accepted at a time. ``ramp``: bounds the rise of traffic.
    ``cache_minimum``: marked prefixes of fewer tokens are not cached. ``cache_ttl``: how long
    one lives unused.
    """

    limits: Limits = Limits()
    model_limits: Mapping[str, Limits] = attrs.field(factory=dict[str, Limits])
    ttft: float = 0.05
    ttft_jitter: float = 0.25
    tokens_per_second: float = 2_000.0
    output_tokens: tuple[int, int] = (20, 200)
    event_tokens: int = 16
    debit_interval: float = 1.0
    known_models: tuple[str, ...] | None = None
    required_key: str | None = None
    reject_keys: bool = False
    faults: Mapping[FaultKind, float] = attrs.field(factory=dict[FaultKind, float], converter=_shares)
    dead: bool = False
    spend_cap: int | None = None
    concurrency: int | None = None
    ramp: Ramp | None = None
    rate_limit_headers: bool = True
    retry_after: bool = True
    cache_minimum: int = 1_024
    cache_ttl: float = 300.0
    max_body: int = 32 * 1024 * 1024

    def limits_for(self, model: str) -> Limits:
        """Return the limits that bind a model."""
        return self.model_limits.get(model, self.limits)


Schedule = tuple[tuple[float, Profile], ...]
"""How the world changes: from each time on (seconds after the first request, rising) that profile holds."""
