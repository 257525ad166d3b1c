"""What is granted at once stays within what the rules would have allowed one by one."""

from __future__ import annotations

from headrace.job import JobRequest, Usage
from headrace.pacing._estimates import Estimates
from headrace.pacing._gates import Gates
from headrace.pacing._model_limits import ModelLimits
from headrace.policy.options import Limits

REQUEST = JobRequest(path="/v1/messages", body=b"{}", model="m", max_tokens=8, stream=False)
STEP = 0.01


def send_all(limits: ModelLimits, now: float) -> int:
    """Send as much as may be sent at once; the number is bounded in case nothing limits it."""
    sent = 0
    while sent < 100_000 and limits.ready_at(REQUEST, now) <= now:
        limits.admitted([REQUEST], now)
        sent += 1
    return sent


def answer(limits: ModelLimits, count: int, now: float) -> None:
    for _ in range(count):
        limits.succeeded(REQUEST, Usage(input=1, output=1), None, now - STEP, now)


def fast_limits() -> tuple[ModelLimits, float]:
    """Return limits that were found to allow more than 20,000 per second, and the time a second later."""
    limits, now = ModelLimits(gates=Gates(stated=Limits()), estimates=Estimates()), 0.0
    assert limits.search is not None
    while limits.search.rate < 20_000:
        sent = send_all(limits, now)
        now += STEP
        answer(limits, sent, now)
        assert now < 60
    return limits, now + 1.0  # so that there is room for many at once


def test_no_more_is_sent_at_once_than_the_rate_allows() -> None:
    limits, now = fast_limits()
    assert limits.search is not None
    maximum = limits.search.rate * 0.05

    sent = send_all(limits, now)

    assert 64 < sent <= maximum + 1
    assert limits.ready_at(REQUEST, now) > now


def test_a_refusal_ends_what_was_granted() -> None:
    limits, now = fast_limits()
    for _ in range(100):
        assert limits.ready_at(REQUEST, now) <= now
        limits.admitted([REQUEST], now)

    limits.refused(REQUEST, "bucket", None, started_at=now, retry_after=1.0, now=now + STEP, jitter=0.5)

    assert limits.ready_at(REQUEST, now + STEP) >= now + 1.0
