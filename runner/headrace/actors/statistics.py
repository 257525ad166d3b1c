"""The counts of a run, and the distribution of its latencies in constant memory. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import attrs

from headrace.job import TokenRange, Usage
from headrace.pacing import Bottleneck

_GROWTH = 1.02
"""The ratio between the widths of neighbouring buckets: at 2 %, a quantile is off by at most 1 %."""
_BUCKETS_PER_E_FOLD = 1 / math.log(_GROWTH)
_MIN_VALUE = 1e-6
"""Smaller values count as this one: the logarithm of zero does not exist."""


@attrs.define
class Histogram:
    """A distribution of positive numbers in logarithmic buckets: DDSketch (Masson, Rim & Lee, VLDB 2019)."""

    _buckets: Counter[int] = attrs.field(factory=Counter[int])
    count: int = 0

    def add(self, value: float) -> None:
        self._buckets[math.ceil(math.log(max(value, _MIN_VALUE)) * _BUCKETS_PER_E_FOLD)] += 1
        self.count += 1

    def quantile(self, q: float) -> float | None:
        """Return the ``q``-quantile of the values, within 1 %; None without values. ``q``: from 0 to 1."""
        rank = q * (self.count - 1)
        seen = 0
        for bucket in sorted(self._buckets):
            seen += self._buckets[bucket]
            if seen > rank:
                return 2 * _GROWTH**bucket / (1 + _GROWTH)
        return None


@attrs.frozen(kw_only=True)
class Latency:
    """Quantiles in seconds; None without measurements."""

    p50: float | None
    p95: float | None
    p99: float | None

    @classmethod
    def of(cls, histogram: Histogram) -> Latency:
        """Return the quantiles of a histogram."""
        return cls(p50=histogram.quantile(0.5), p95=histogram.quantile(0.95), p99=histogram.quantile(0.99))


@attrs.frozen(kw_only=True)
class Snapshot:
    """The state of a run at one moment: an immutable value, safe to keep."""

    elapsed_s: float
    results: int
    failed: int
    in_flight: int
    waiting: int
    """Jobs that wait for their turn, or for their next attempt."""
    attempts: int
    cap: int = 0
    """The maximum number of jobs in flight at this moment."""
    bottleneck: Bottleneck = "source"
    """What keeps the next job from being sent now."""
    bottleneck_s: Mapping[Bottleneck, float] = attrs.field(factory=dict[Bottleneck, float])
    """For how many seconds each has been the bottleneck."""
    cost: float | None = None
    """The amount spent; None without a budget."""
    rate_limited: int
    """Responses with status 429."""
    maybe_billed: int
    """Attempts of this run whose request was sent, and that brought no answer that is accepted."""
    maybe_billed_tokens: TokenRange = (0, 0)
    """The tokens they may have used, input and output together: minimum and maximum."""
    usage: Usage
    """The sum of what the answers report."""
    usage_unknown: int = 0
    """Results whose answer does not report all of its usage."""
    truncated: int
    """Results that were cut off at ``max_tokens``."""
    refusals: int
    """Results in which the model refused to answer, or a filter removed the answer."""
    refused_answers: int = 0
    """Attempts whose response had a status of 2xx and a body that is not accepted as an answer."""
    latency: Latency
    ttft: Latency
    failures: Mapping[str, int]
    """Jobs that failed for good, by kind of failure."""
    retries: Mapping[str, int]
    """Failed attempts that were followed by another one, by kind of failure."""
