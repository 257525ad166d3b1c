"""How fast the number in flight grows, and what that costs if the server is slower than expected."""

from __future__ import annotations

from functools import partial

import attrs
import pytest

from headrace.pacing import Concurrency, Pacing
from headrace.simulator import Profile
from tests.runner.pacing.between import Busy, Distant
from tests.scenarios.catalogue import LATENCY, SHIFTING, STEADY, profile
from tests.scenarios.engine import play
from tests.scenarios.scenario import Scenario, auto, per_second

TRAVEL_TIME = 0.05
"""Seconds for which a request travels: a refusal arrives this late."""


def stated(concurrency: int) -> Pacing:
    """Return the pacing of a run with ``--concurrency``."""
    return Pacing(concurrency=Concurrency.fixed(concurrency))


def from_afar(scenario: Scenario) -> Scenario:
    """Return the same scenario with a distant server."""
    return attrs.evolve(scenario, between=partial(Distant, TRAVEL_TIME), ideal=scenario.ideal + TRAVEL_TIME)


def test_a_stated_concurrency_is_filled_within_half_a_second_of_the_first_answer() -> None:
    """200 at a time, 0.2 s each, no limit: 12 rounds, and little more than the time of 13."""
    silent = Profile(
        ttft=0.18,
        ttft_jitter=0.0,
        tokens_per_second=2_000,
        output_tokens=(40, 40),
        rate_limit_headers=False,
    )
    report = play(Scenario(profile=silent, jobs=2_400, ideal=2.4, pacing=lambda: stated(200)))

    assert report.seconds <= 2.4 + 0.2 + 0.5
    assert report.refused == 0


@pytest.mark.parametrize("concurrency", [64, 1_000])
@pytest.mark.parametrize("name", ["20/s, bucket of 20", "20/s, bucket of 1", "20/s, bucket of 400"])
def test_a_stated_concurrency_does_not_exceed_limits_in_headers(name: str, concurrency: int) -> None:
    scenario = attrs.evolve(from_afar(STEADY[name]()), pacing=lambda: stated(concurrency))
    report = play(scenario)

    assert report.refused == 0
    assert report.seconds <= 1.05 * scenario.ideal


@pytest.mark.parametrize("concurrency", [64, pytest.param(1_000, marks=pytest.mark.long)])
def test_a_rate_without_headers_is_found_with_few_refusals_although_they_arrive_late(
    concurrency: int,
) -> None:
    """A bucket of one: everything sent too soon is refused, until the first refusal arrives."""
    server = profile(per_second(20, burst=1), rate_limit_headers=False)
    scenario = Scenario(profile=server, jobs=2_400, ideal=120 + LATENCY, pacing=lambda: stated(concurrency))
    report = play(from_afar(scenario))

    assert report.finished == 2_400
    assert report.refused <= 0.02 * 2_400
    assert report.seconds <= 1.15 * scenario.ideal


def test_jobs_in_flight_when_the_first_refusal_arrives_do_not_each_lower_the_rate() -> None:
    """A deep bucket runs empty at a high rate: dozens are refused, and the rate is right soon afterwards."""
    scenario = from_afar(SHIFTING["no headers, bucket of 60"]())
    report = play(scenario)

    assert 20 <= report.refused <= 0.06 * scenario.jobs
    assert report.seconds <= 1.05 * scenario.ideal


@pytest.mark.parametrize("seed", [0, pytest.param(5, marks=pytest.mark.long)])
@pytest.mark.parametrize("headers", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_cap_above_what_a_busy_server_can_use_is_lowered_again(headers: bool, seed: int) -> None:
    """The server handles 200 requests per second, whatever is in flight: more than 64 would only wait."""
    slow = Profile(ttft=0.05, output_tokens=(20, 200), rate_limit_headers=headers)
    scenario = Scenario(
        profile=slow, jobs=2_000, ideal=10.0, pacing=auto, between=partial(Busy, 0.005), seed=seed
    )
    report = play(scenario)

    assert report.pacing.concurrency.cap == 64
    assert report.pacing.concurrency.latency <= 0.4
    assert report.seconds <= 1.15 * scenario.ideal


@pytest.mark.parametrize("seed", [0, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("headers", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_cap_that_a_server_can_use_is_found(headers: bool, seed: int) -> None:
    """667 per second, 0.1 s each when it is not busy: 64 in flight are too few, 256 too many.

    Without headers the rate has to be found, too, which takes another half second or so.
    """
    slow = Profile(ttft=0.05, output_tokens=(20, 200), rate_limit_headers=headers)
    scenario = Scenario(
        profile=slow, jobs=4_000, ideal=6.0, pacing=auto, between=partial(Busy, 0.0015), seed=seed
    )
    report = play(scenario)

    assert report.pacing.concurrency.cap == 128
    assert report.seconds <= (1.15 if headers else 1.26) * scenario.ideal
