"""What the policies of the pacing benchmark answer, question by question, and a few whole runs of them."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest

from benchmarks.pacing.driver import play_policy
from benchmarks.pacing.policies import (
    AdditiveIncrease,
    FixedConcurrency,
    JobSize,
    OneProbe,
    Policy,
    Reply,
    backoff,
)
from tests.scenarios.catalogue import requests_bound
from tests.scenarios.scenario import Scenario, per_second

JOB = JobSize(characters=400, max_tokens=64_000)
LIMITS = {
    "anthropic-ratelimit-requests-limit": "600",
    "anthropic-ratelimit-input-tokens-limit": "60000",
    "anthropic-ratelimit-output-tokens-limit": "600000",
}


def reply(status: int = 200, headers: Mapping[str, str] | None = None, *, sent_at: float = 0.0) -> Reply:
    return Reply(
        status=status,
        headers=headers or {},
        sent_at=sent_at,
        job=JOB,
        input_tokens=100,
        output_tokens=40,
    )


@pytest.mark.parametrize(
    ("headers", "taken", "seconds"),
    [
        ({"retry-after": "3"}, 1, 3.0),
        ({"retry-after": "61"}, 1, 0.5),
        ({}, 1, 0.5),
        ({}, 2, 1.0),
        ({}, 9, 8.0),
    ],
)
def test_a_backoff_is_what_the_server_asks_for_or_doubles(
    headers: dict[str, str], taken: int, seconds: float
) -> None:
    assert backoff(reply(429, headers), taken, 0.0) == seconds


def test_jitter_takes_off_up_to_a_quarter() -> None:
    assert backoff(reply(503), 1, 1.0) == 0.375


@pytest.mark.parametrize("status", [0, 408, 409, 429, 500, 529])
def test_a_fixed_number_of_retries_is_made(status: int) -> None:
    policy = FixedConcurrency(slots=2, retries=2)

    assert [policy.wait(JOB, busy, 0.0) for busy in (1, 2)] == [0.0, math.inf]
    assert policy.retry_after(reply(status), 2, 0.0, 0.0) == 1.0
    assert policy.retry_after(reply(status), 3, 0.0, 0.0) is None


@pytest.mark.parametrize(
    "policy",
    [FixedConcurrency(slots=2, retries=2), AdditiveIncrease(), OneProbe()],
    ids=lambda it: type(it).__name__,
)
def test_what_cannot_succeed_is_given_up(policy: Policy) -> None:
    assert policy.retry_after(reply(400), 1, 0.0, 0.0) is None


def test_a_window_grows_by_one_a_windowful_and_is_halved_once_a_round() -> None:
    policy = AdditiveIncrease(window=4.0)
    for _ in range(4):
        policy.answered(reply(), 1.0)
    grown = policy.window
    policy.answered(reply(429, sent_at=1.0), 2.0)
    policy.answered(reply(429, sent_at=1.5), 2.5)
    halved = policy.window
    policy.answered(reply(529, sent_at=2.1), 3.0)

    assert 4.8 < grown <= 5.0
    assert (halved, policy.window) == (grown / 2, grown / 4)
    assert [policy.wait(JOB, busy, 3.0) for busy in (0, 1)] == [0.0, math.inf]


def test_nothing_is_sent_beside_the_probe() -> None:
    policy = OneProbe()
    before = policy.wait(JOB, 0, 0.0)
    policy.sent(JOB)

    assert (before, policy.wait(JOB, 1, 0.1)) == (0.0, math.inf)


def test_after_the_probe_jobs_are_sent_at_the_rate_that_it_told() -> None:
    policy = OneProbe()
    policy.sent(JOB)
    policy.answered(reply(200, LIMITS), 1.0)
    first = policy.wait(JOB, 0, 1.0)
    reserved = policy.sent(JOB)

    assert first == pytest.approx(0.1)
    assert reserved == 40
    assert policy.wait(JOB, 1, 1.1) == pytest.approx(0.1)


def test_without_an_answer_a_quarter_of_max_tokens_is_reserved() -> None:
    assert OneProbe().sent(JOB) == 16_000


def test_a_429_stops_everything_for_ten_seconds() -> None:
    policy = OneProbe()
    policy.sent(JOB)
    policy.answered(reply(200, LIMITS), 1.0)
    policy.answered(reply(429), 5.0)

    assert policy.wait(JOB, 0, 5.0) == 10.0
    assert policy.retry_after(reply(429), 10, 5.0, 0.0) == 0.0
    assert policy.retry_after(reply(429), 11, 5.0, 0.0) is None


def play(policy: Policy, jobs: int = 60) -> tuple[Scenario, int, int, int]:
    scenario = requests_bound(per_second(20), jobs)
    played = play_policy(policy, scenario)
    return scenario, played.finished, played.log.statuses[429], played.log.statuses.total()


def test_one_probe_meets_a_limit_that_stays_without_a_refusal() -> None:
    _, finished, refused, sent = play(OneProbe())

    assert (finished, refused, sent) == (60, 0, 60)


def test_a_fixed_concurrency_loses_jobs_to_refusals() -> None:
    _, finished, refused, sent = play(FixedConcurrency(slots=64, retries=0))

    assert finished + refused == sent == 60
    assert refused >= 30


def test_one_at_a_time_and_patience_lose_none() -> None:
    _, finished, _, _ = play(FixedConcurrency(slots=1, retries=10))

    assert finished == 60


def test_a_window_ends_with_all_jobs() -> None:
    _, finished, refused, sent = play(AdditiveIncrease())

    assert finished == 60
    assert sent == 60 + refused
