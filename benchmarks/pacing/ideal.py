"""The time that a client takes that knows the limits. Pure.

Each bucket is full at the beginning, so a demand of ``total`` is met when ``depth + inflow`` has reached it;
the last job to be admitted then takes a mean latency, which is for the caller to add.
"""

from __future__ import annotations

from collections.abc import Mapping

from headrace.simulator import BucketLimit, Ramp
from headrace.simulator._buckets import AccelerationLimit, Bucket


def flow_time(limit: BucketLimit, total: float) -> float:
    """The seconds until a full bucket has let through ``total``."""
    return max(0.0, total - limit.depth) / (limit.per_minute / 60 * (1 - limit.others))


def stepped_time(steps: Mapping[float, float], total: float, depth: float) -> float:
    """The same for a rate a second that changes at each of the times."""
    left, starts = total - depth, sorted(steps)
    for start, end in zip(starts, [*starts[1:], float("inf")], strict=True):
        through = steps[start] * (end - start) if end < float("inf") else left
        if through >= left:
            return start + left / steps[start]
        left -= through
    raise AssertionError("the last rate lasts for ever")


def ramped_time(limit: BucketLimit, ramp: Ramp, total: int) -> float:
    """The same under a bounded rise, by trying every 5 ms, of one to whom trying costs nothing.

    No header tells the bound, so a real client has to be refused to know it: a refusal asks for a second of
    silence, and what is not sent now lowers what may be sent a minute later. The least that we have come to
    with several tunings of our search is 1.054.
    """
    slope, bucket, now = AccelerationLimit(0.0), Bucket.full(limit, 0.0), 0.0
    while total:
        if bucket.seconds_until(1, now) == 0 and slope.admit(ramp, now):
            bucket.take(1, now)
            total -= 1
        else:
            now += 0.005
    return now
