"""What is granted at once stays within what the rules would have granted one by one."""

from __future__ import annotations

from headrace.job import JobRequest, Usage
from headrace.pacing._estimates import Estimates
from headrace.pacing._gates import Gates
from headrace.pacing._model_limits import ModelLimits
from headrace.pacing._values import StatedLimits

REQUEST = JobRequest(path="/v1/messages", body=b"{}", model="m", max_tokens=8, stream=False)
STEP = 0.01


def send_all(pool: ModelLimits, now: float) -> int:
    """Send as much as may be sent at once; the count is bounded for the case that nothing binds."""
    sent = 0
    while sent < 100_000 and pool.ready_at(REQUEST, now) <= now:
        pool.admitted([REQUEST], now)
        sent += 1
    return sent


def answer(pool: ModelLimits, count: int, now: float) -> None:
    for _ in range(count):
        pool.succeeded(REQUEST, Usage(input=1, output=1), None, now - STEP, now)


def fast_pool() -> tuple[ModelLimits, float]:
    """A pool that has found out that more than 20,000 a second go through, and the time a second later."""
    pool, now = ModelLimits(gates=Gates(stated=StatedLimits()), estimates=Estimates()), 0.0
    assert pool.search is not None
    while pool.search.rate < 20_000:
        sent = send_all(pool, now)
        now += STEP
        answer(pool, sent, now)
        assert now < 60
    return pool, now + 1.0  # so that there is room for many at once


def test_no_more_is_sent_at_once_than_the_rate_lets_through() -> None:
    pool, now = fast_pool()
    assert pool.search is not None
    most = pool.search.rate * 0.05

    sent = send_all(pool, now)

    assert 64 < sent <= most + 1
    assert pool.ready_at(REQUEST, now) > now


def test_a_refusal_ends_what_was_granted() -> None:
    pool, now = fast_pool()
    for _ in range(100):
        assert pool.ready_at(REQUEST, now) <= now
        pool.admitted([REQUEST], now)

    pool.refused(REQUEST, "bucket", None, started_at=now, retry_after=1.0, now=now + STEP, jitter=0.5)

    assert pool.ready_at(REQUEST, now + STEP) >= now + 1.0
