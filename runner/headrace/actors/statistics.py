"""Counts of a run, and the distribution of its latencies in constant memory. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import attrs

from headrace.job import TokenRange, Usage
from headrace.pacing import Bottleneck

_GROWTH = 1.02
"""Each bucket is 2 % wider than the one before, so a quantile is off by 1 % at most."""
_BUCKETS_PER_E_FOLD = 1 / math.log(_GROWTH)
_MIN_VALUE = 1e-6


@attrs.define
class Histogram:
    """A distribution of positive numbers in logarithmic buckets.

    As DDSketch does it (Masson, Rim & Lee, VLDB 2019).
    """

    _buckets: Counter[int] = attrs.field(factory=Counter[int])
    count: int = 0

    def add(self, value: float) -> None:
        """Count one value."""
        self._buckets[math.ceil(math.log(max(value, _MIN_VALUE)) * _BUCKETS_PER_E_FOLD)] += 1
        self.count += 1

    def quantile(self, q: float) -> float | None:
        """The value below which the share ``q`` of all values lies, within 1 %; None while there are none."""
        rank = q * (self.count - 1)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen > rank:
                return 2 * _GROWTH**bucket / (1 + _GROWTH)
        return None


@attrs.frozen(kw_only=True)
class Latency:
    """Quantiles in seconds; None where nothing was measured."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> Latency:
        """The quantiles of a histogram."""
        return cls(p50=histogram.quantile(0.5), p95=histogram.quantile(0.95), p99=histogram.quantile(0.99))


@attrs.frozen(kw_only=True)
class Snapshot:
    """The state of a run at one moment: a value, safe to keep."""

    elapsed_s: float
    results: int
    failed: int
    in_flight: int
    waiting: int
    """Jobs that wait for a retry or for their turn."""
    attempts: int
    cap: int = 0
    """The most that may be in flight now."""
    bottleneck: Bottleneck = "source"
    """What keeps the next job from being sent now."""
    bottleneck_s: Mapping[Bottleneck, float] = attrs.field(factory=dict[Bottleneck, float])
    """For how many seconds each has been what binds."""
    cost: float | None = None
    """What was spent, where there is a budget."""
    rate_limited: int
    """429 answers."""
    maybe_billed: int
    """Attempts of this run whose request was sent and whose answer never came."""
    maybe_billed_tokens: TokenRange = (0, 0)
    """What they have cost, input and output together."""
    usage: Usage
    truncated: int
    """Results that stopped at ``max_tokens``."""
    refusals: int
    latency: Latency
    ttft: Latency
    failures: Mapping[str, int]
    """Terminal failures by kind."""
    retries: Mapping[str, int]
    """Failed attempts that were tried again, by kind."""
