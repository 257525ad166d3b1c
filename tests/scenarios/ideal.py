"""The time that a client needs which knows the limits. Pure; times in seconds.

Each bucket starts full, so a demand of ``total`` is met as soon as ``depth + inflow`` reaches it. The last
job then takes one mean latency more, which the caller adds.
"""

from __future__ import annotations

from collections.abc import Mapping

from headrace.simulator import BucketLimit, Ramp
from headrace.simulator._buckets import AccelerationLimit, Bucket


def flow_time(limit: BucketLimit, total: float) -> float:
    """The seconds until a bucket that starts full has let ``total`` through."""
    return max(0.0, total - limit.depth) / (limit.per_minute / 60 * (1 - limit.others))


def stepped_time(steps: Mapping[float, float], total: float, depth: float) -> float:
    """The same for a rate per second that changes at each key of ``steps``."""
    left, starts = total - depth, sorted(steps)
    for start, end in zip(starts, [*starts[1:], float("inf")], strict=True):
        through = steps[start] * (end - start) if end < float("inf") else left
        if through >= left:
            return start + left / steps[start]
        left -= through
    raise AssertionError("unreachable: the last rate never ends")


def ramped_time(limit: BucketLimit, ramp: Ramp, total: int) -> float:
    """The same under a bounded rise, for a client that tries every 5 ms and pays nothing for a refusal.

    No header reports the bound, so a real client learns of it only from refusals. Each costs a second of
    silence, and what is not sent now lowers what may be sent a minute later. The best that several tunings of
    our search have reached is 1.054 times this time.
    """
    slope, bucket, now = AccelerationLimit(0.0), Bucket.full(limit, 0.0), 0.0
    while total:
        if bucket.seconds_until(1, now) == 0 and slope.admit(ramp, now):
            bucket.take(1, now)
            total -= 1
        else:
            now += 0.005
    return now
