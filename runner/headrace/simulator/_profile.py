"""How a simulated provider behaves: limits, speed and faults, as frozen values.

A `Profile` describes one state of the provider, a `Schedule` of profiles how that changes. Nothing is random
here: random numbers are drawn from the seed and the request.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal, get_args

import attrs

FaultKind = Literal["429", "529", "500", "reset", "cut", "garbage", "hang", "html"]
"""A fault to inject into a request.

``429``, ``529``, ``500``: a response with that status. ``reset``: the connection closes before the first byte
of the response. ``cut``: it closes in the middle of the response. ``garbage``: 200 with bytes that are not
JSON. ``hang``: no response at all. ``html``: 200 with a proxy's error page.
"""

FAULT_KINDS: tuple[FaultKind, ...] = get_args(FaultKind)


@attrs.frozen(kw_only=True)
class BucketLimit:
    """A limit, enforced with a token bucket.

    The bucket refills evenly with ``per_minute`` units per minute and holds up to ``burst`` units (default:
    one minute's worth). ``others``: the share of the refill that other clients of the same key use (0 to 1).
    """

    per_minute: float
    burst: float | None = None
    others: float = 0.0

    @property
    def depth(self) -> float:
        """The capacity of the bucket: at least one unit, or nothing could ever pass."""
        return max(1.0, self.per_minute if self.burst is None else self.burst)


@attrs.frozen(kw_only=True)
class ProviderLimits:
    """What the provider enforces on a group of models: limits of requests, input tokens and output tokens."""

    requests: BucketLimit = BucketLimit(per_minute=240_000, burst=4_000)
    input: BucketLimit = BucketLimit(per_minute=240_000_000)
    output: BucketLimit = BucketLimit(per_minute=240_000_000)


@attrs.frozen(kw_only=True)
class Ramp:
    """How fast traffic may rise.

    ``floor`` requests per second are always accepted; beyond that, ``factor`` times the rate of the last
    minute.
    """

    floor: float = 10.0
    factor: float = 2.0


def _shares(faults: Mapping[FaultKind, float]) -> Mapping[FaultKind, float]:
    if unknown := faults.keys() - set(FAULT_KINDS):
        raise ValueError(f"no such fault: {', '.join(sorted(unknown))}; use one of {', '.join(FAULT_KINDS)}")
    if not all(0 <= share <= 1 for share in faults.values()) or math.fsum(faults.values()) > 1:
        raise ValueError("the shares of faults must be between 0 and 1, and so must their sum")
    return dict(faults)


@attrs.frozen(kw_only=True)
class Profile:
    """One state of the simulated provider. Times are in seconds, speeds in tokens per second.

    ``model_limits``: models with buckets of their own; all others share ``limits``.
    ``ttft``: the minimum time to the first token. A random part of ``ttft_jitter`` times as much is added.
    ``output_tokens``: the range, bounds included, from which the length of an answer is drawn. A smaller
    ``max_tokens`` truncates the answer. ``event_tokens``: the tokens in each streamed event.
    ``debit_interval``: the time between two debits of the output of an answer that is not streamed.
    ``known_models``: the only models that exist (default: every name does).
    ``required_key``: the only valid key (default: none is needed). ``reject_keys``: no key is valid.
    ``faults``: the share of requests that get each fault. ``dead``: every connection is reset.
    ``spend_cap``: the number of requests after which the spend limit is reached.
    ``concurrency``: the maximum number of requests in flight. ``ramp``: limits how fast traffic may rise.
    ``cache_minimum``: shorter prefixes, in tokens, are not cached. ``cache_ttl``: the time after which an
    unused prefix expires. ``max_body``: the maximum size of a request body, in bytes.
    """

    limits: ProviderLimits = ProviderLimits()
    model_limits: Mapping[str, ProviderLimits] = attrs.field(factory=dict[str, ProviderLimits])
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

    def limits_for(self, model: str) -> ProviderLimits:
        """Return the limits of a model."""
        return self.model_limits.get(model, self.limits)


Schedule = tuple[tuple[float, Profile], ...]
"""The profiles that follow the first one, each with its start in seconds after the first request."""
