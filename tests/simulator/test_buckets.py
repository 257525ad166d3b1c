"""The token buckets: what they grant over any period, and what they report."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.simulator import BucketLimit, ProviderLimits, Ramp
from headrace.simulator._buckets import AccelerationLimit, Bucket, Quota

LIMITS = st.builds(
    BucketLimit,
    per_minute=st.floats(1, 10_000),
    burst=st.floats(1, 200),
    others=st.sampled_from([0.0, 0.25, 0.5]),
)
GAPS = st.lists(st.floats(0, 30), min_size=1, max_size=60)
AMOUNTS = st.floats(0, 20_000)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(limit=LIMITS, gaps=GAPS)
def test_never_grants_more_than_the_depth_and_the_refill(limit: BucketLimit, gaps: list[float]) -> None:
    bucket, now, granted = Bucket.full(limit, 0.0), 0.0, 0

    for gap in gaps:
        now += gap
        at_once = 0
        while at_once <= limit.depth and not bucket.seconds_until(1, now):
            bucket.take(1, now)
            at_once += 1
        granted += at_once

        assert at_once <= limit.depth + 1e-6
        assert granted <= limit.depth + now * bucket.rate + 1e-6
        assert bucket.level >= -1e-6


@settings(deadline=None, derandomize=True, max_examples=100)
@given(limit=LIMITS, gaps=GAPS)
def test_refill_does_not_depend_on_how_often_it_is_read(limit: BucketLimit, gaps: list[float]) -> None:
    looked, unseen, now = Bucket(limit, 0.0, 0.0), Bucket(limit, 0.0, 0.0), 0.0

    for gap in gaps:
        now += gap
        looked.refill(now)

    assert looked.refill(now) == pytest.approx(unseen.refill(now))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(limit=LIMITS, spent=AMOUNTS, amount=AMOUNTS)
def test_the_returned_wait_is_sufficient_and_minimal(limit: BucketLimit, spent: float, amount: float) -> None:
    bucket = Bucket.full(limit, 0.0)
    bucket.take(spent, 0.0)

    wait = bucket.seconds_until(amount, 0.0)

    assert bucket.seconds_until(amount, wait * 0.99) > 0 or wait < 1e-6
    assert bucket.seconds_until(amount, wait) == pytest.approx(0.0, abs=1e-6)


def test_an_even_refill_is_exact() -> None:
    bucket = Bucket(BucketLimit(per_minute=60, burst=10), 0.0, 100.0)

    assert [bucket.refill(100.0 + step) for step in (0, 2.5, 9.75, 10, 1_000)] == [0, 2.5, 9.75, 10, 10]


def test_a_debt_delays_the_next_admission() -> None:
    bucket = Bucket.full(BucketLimit(per_minute=60, burst=10), 0.0)
    bucket.take(40, 0.0)

    assert bucket.level == -30
    assert bucket.seconds_until(1, 0.0) == 31


def test_a_credit_never_exceeds_the_depth() -> None:
    bucket = Bucket.full(BucketLimit(per_minute=60, burst=10), 0.0)
    bucket.take(-5, 0.0)

    assert bucket.level == 10


def test_a_demand_above_the_depth_passes_when_the_bucket_is_full() -> None:
    bucket = Bucket.full(BucketLimit(per_minute=60, burst=10), 0.0)

    assert bucket.seconds_until(1_000, 0.0) == 0


def test_other_clients_slow_the_refill_but_not_the_reported_limit() -> None:
    bucket = Bucket(BucketLimit(per_minute=60, burst=10, others=0.5), 0.0, 0.0)

    assert bucket.refill(4.0) == 2
    assert bucket.state(4.0).limit == 60
    assert bucket.state(4.0).full_in == 8


def test_a_bucket_without_refill_never_grants() -> None:
    bucket = Bucket(BucketLimit(per_minute=0), 0.0, 0.0)

    assert bucket.seconds_until(1, 1e9) == math.inf
    assert bucket.state(1e9).full_in == math.inf


def test_a_lower_limit_drops_what_exceeds_its_depth() -> None:
    bucket = Bucket.full(BucketLimit(per_minute=600, burst=100), 0.0)

    bucket.change_limit(BucketLimit(per_minute=60, burst=10), 0.0)

    assert bucket.level == 10
    assert bucket.seconds_until(10, 0.0) == 0


def test_draining_stops_at_zero() -> None:
    bucket = Bucket(BucketLimit(per_minute=60, burst=10), 0.5, 0.0)
    bucket.drain(1, 0.0)

    assert bucket.level == 0


def test_a_quota_reports_the_scarcest_resource_and_takes_nothing() -> None:
    limits = ProviderLimits(
        requests=BucketLimit(per_minute=60, burst=5),
        input=BucketLimit(per_minute=600, burst=100),
        output=BucketLimit(per_minute=600, burst=100),
    )
    quota = Quota(limits, 0.0)
    quota.output.take(150, 0.0)

    shortage = quota.admit(100, 0.0)

    assert shortage is not None
    assert (shortage.resource, shortage.limit) == ("output", 600)
    assert shortage.wait == pytest.approx(5.1)
    assert (quota.requests.level, quota.input.level) == (5, 100)
    assert quota.admit(100, shortage.wait) is None
    assert (quota.requests.level, quota.input.level) == (4, 0)


def test_an_acceleration_limit_accepts_a_gradual_rise_and_rejects_a_jump() -> None:
    acceleration, ramp = AccelerationLimit(0.0), Ramp(floor=5.0, factor=2.0)

    jump = [acceleration.admit(ramp, 0.0) for _ in range(20)]
    gentle = [acceleration.admit(ramp, 10 + index / 3) for index in range(300)]

    assert jump == [True] * 5 + [False] * 15
    assert all(gentle)
