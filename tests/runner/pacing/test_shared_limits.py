"""Limits that several models share are one bucket: models whose headers show one limit are paced as one.

No header names the models a limit is for. The evidence is in the numbers: the readings of both agree, and
what one model has spent is missing for the other. Equal limits alone, even if both are full, prove nothing.
"""

from __future__ import annotations

import pytest

from headrace.job import JobRequest
from headrace.pacing import Concurrency, Pacing
from headrace.pacing._sharing import _merge  # pyright: ignore[reportPrivateUsage]  # a mistake, made on purpose
from headrace.policy.options import Limits
from tests.runner.pacing.model_server import Minute, Server, TokenBucket, request


def one_limit(models: str, rate: float, depth: float, latency: float = 0.05, cost: float = 1.0) -> Server:
    """Return a server with one limit for all of the models."""
    resource = "requests" if cost == 1 else "input_tokens"
    bucket = TokenBucket(rate=rate * cost, depth=depth * cost, cost=cost, resource=resource)
    return Server(limits={model: [bucket] for model in models}, latency=latency, distance=0.02)


def own_limits(models: str, rate: float, depth: float, latency: float = 0.05) -> Server:
    """Return a server with a limit of the same size for each of the models."""
    limits = {model: [TokenBucket(rate=rate, depth=depth)] for model in models}
    return Server(limits=limits, latency=latency, distance=0.02)


def merged(pacing: Pacing) -> int:
    """Return how many models take from a bucket that others take from, too."""
    return sum(bool(peers) for limits in pacing.by_model.values() for peers in limits.peers.values())


SHAPES = [(20.0, 20.0), (20.0, 100.0), (100.0, 100.0), (100.0, 1_000.0), (5.0, 20.0)]


@pytest.mark.parametrize("latency", [0.05, 0.5])
@pytest.mark.parametrize(("rate", "depth"), SHAPES)
def test_two_models_of_one_limit_are_paced_as_one(rate: float, depth: float, latency: float) -> None:
    minute = Minute(server=one_limit("ab", rate, depth, latency), models="ab").play(60.0)

    assert merged(minute.pacing) == 2
    assert len(minute.answered) >= 0.96 * (60 * rate + depth)
    assert sum(at > 15 for at, _ in minute.refused) <= 2
    assert len(minute.refused) <= 40
    assert minute.between(15, 60, "a") == pytest.approx(minute.between(15, 60, "b"), rel=0.1)


@pytest.mark.parametrize(("rate", "depth"), [(20.0, 100.0), (100.0, 100.0), (100.0, 1_000.0)])
def test_three_models_of_one_limit_are_paced_as_one(rate: float, depth: float) -> None:
    minute = Minute(server=one_limit("abc", rate, depth), models="abc").play(60.0)

    assert merged(minute.pacing) == 3
    assert len(minute.answered) >= 0.98 * (60 * rate + depth)
    assert len(minute.refused) <= 25


@pytest.mark.parametrize("latency", [0.05, 0.5])
def test_a_shared_limit_of_tokens_is_found_like_one_of_requests(latency: float) -> None:
    minute = Minute(server=one_limit("ab", 50, 100, latency, cost=50.0), models="ab").play(40.0)

    assert merged(minute.pacing) == 2
    assert len(minute.answered) >= 0.94 * (40 * 50 + 100)
    assert sum(at > 15 for at, _ in minute.refused) <= 2


@pytest.mark.parametrize("latency", [0.05, 0.5, 2.0])
@pytest.mark.parametrize("models", ["ab", "abc"])
@pytest.mark.parametrize(("rate", "depth"), SHAPES)
def test_equal_limits_of_models_that_are_used_alike_stay_apart(
    rate: float, depth: float, models: str, latency: float
) -> None:
    """Both are full at first, and then both show the same numbers all the time: a coincidence."""
    seen: set[int] = set()
    minute = Minute(
        server=own_limits(models, rate, depth, latency),
        models=models,
        watch=lambda minute, _: seen.add(merged(minute.pacing)),
    ).play(30.0)

    assert seen == {0}
    assert len(minute.refused) <= 2


def test_models_merged_by_mistake_part_again() -> None:
    """Each has a limit of its own after all: within seconds both are used to the full."""
    server = own_limits("ab", 20, 100)
    minute = Minute(server=server, models="ab").play(10.0)
    one, other = minute.pacing.by_model.values()
    _merge("requests", one, other, 10.0)
    assert merged(minute.pacing) == 2

    minute = Minute(server=server, models="ab", pacing=minute.pacing, now=10.0).play(60.0)

    assert merged(minute.pacing) == 0
    assert minute.between(25, 60) >= 0.95 * 2 * 20 * 35


@pytest.mark.parametrize("rate", [20.0, 40.0])
def test_models_whose_numbers_part_again_are_split(rate: float) -> None:
    """After twenty seconds each model gets a limit of its own, of the same size or of twice the size."""
    server = one_limit("ab", 20, 100)
    minute = Minute(server=server, models="ab").play(20.0)
    assert merged(minute.pacing) == 2
    server.limits = {
        "a": [TokenBucket(rate=20, depth=100, at=20.0)],
        "b": [TokenBucket(rate=rate, depth=100, at=20.0)],
    }
    minute = Minute(server=server, models="ab", pacing=minute.pacing, now=20.0).play(70.0)

    assert merged(minute.pacing) == 0
    assert minute.between(40, 70) >= 0.95 * (20 + rate) * 30


def refuse(pacing: Pacing, job: JobRequest, now: float) -> None:
    """Refuse a job that has just been sent, for ten seconds."""
    pacing.refused(job, None, None, started_at=now, retry_after=10.0, others=0, now=now, jitter=0.5)


@pytest.mark.parametrize("shared", [True, False])
def test_a_429_of_one_model_holds_the_others_of_its_limit(shared: bool) -> None:
    server = one_limit("ab", 20, 100) if shared else own_limits("ab", 20, 100)
    pacing = Minute(server=server, models="ab").play(10.0).pacing
    refuse(pacing, request("a"), 10.0)

    held = pacing.by_model["b"].ready_at(request("b"), 19.9) > 19.9

    assert held == shared
    assert pacing.by_model["b"].ready_at(request("b"), 20.0) <= 20.0


def test_a_share_of_a_limit_that_models_share_is_shared_too() -> None:
    pacing = Pacing(concurrency=Concurrency.found(8_192), stated=Limits(share=0.75))
    minute = Minute(server=one_limit("ab", 40, 200), models="ab", pacing=pacing).play(60.0)

    assert merged(pacing) == 2
    assert minute.between(30, 60) == pytest.approx(0.75 * 40 * 30, rel=0.05)
