"""The example at the top of `headrace.pacing._model_limits`, with its numbers."""

from __future__ import annotations

import pytest

from headrace.job import JobRequest, Usage
from headrace.pacing._estimates import Estimates
from headrace.pacing._gates import Gates
from headrace.pacing._model_limits import ModelLimits
from headrace.policy.options import Limits
from headrace_client.lowlevel import Limit, RateLimits

USED = Usage(input=800)


def request(letter: bytes) -> JobRequest:
    return JobRequest(path="/", body=4_000 * letter, model="m", max_tokens=10, stream=False)


def send(limits: ModelLimits, job: JobRequest, now: float) -> None:
    assert limits.ready_at(job, now) <= now
    limits.admitted([job], now)


def test_what_is_set_aside_for_a_job_is_taken_first_and_given_back_once_its_cost_is_known() -> None:
    limits = ModelLimits(gates=Gates(stated=Limits()), estimates=Estimates())
    first, second, third = request(b"1"), request(b"2"), request(b"3")
    send(limits, first, 0.0)
    send(limits, second, 0.5)
    headers = RateLimits(input_tokens=Limit(60_000, 9_000))
    limits.succeeded(first, USED, headers, 0.0, 1.0)
    bucket = limits.gates.server["input"].bucket

    assert bucket.level == 8_000
    assert limits.estimates.cost(third)[1] == pytest.approx(800)
    send(limits, third, 1.0)
    assert bucket.level == 7_000
    limits.succeeded(third, USED, None, 1.0, 1.5)
    assert bucket.refill(1.5) == 7_000 + 500 + 200
