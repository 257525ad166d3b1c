"""The scenarios in which pacing has to do well, by name, each with its ideal time.

``STEADY``: the limits stay as they are and headers report them. ``SHIFTING``: the limits change, are shared
with other clients, or are not reported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from headrace.pacing import Concurrency, Pacing
from headrace.policy.options import Limits
from headrace.simulator import BucketLimit, Profile, Ramp, Schedule

from .ideal import flow_time, ramped_time, stepped_time
from .scenario import Scenario, limits, per_second

TTFT, JITTER, SPEED = 0.08, 0.25, 2_000.0
LATENCY = TTFT * (1 + JITTER / 2) + 40 / SPEED
"""The mean latency of the profiles below, in seconds."""
WORDS = "x" * 400


def profile(requests: BucketLimit | None = None, **more: Any) -> Profile:
    """A server that answers with 40 tokens within about a tenth of a second."""
    settings: dict[str, Any] = {
        "ttft": TTFT,
        "ttft_jitter": JITTER,
        "tokens_per_second": SPEED,
        "output_tokens": (40, 40),
    }
    if requests is not None:
        settings["limits"] = limits(requests=requests)
    return Profile(**settings | more)


def requests_bound(limit: BucketLimit, jobs: int, **more: Any) -> Scenario:
    """Jobs for which only the number of requests is limited."""
    return Scenario(profile=profile(limit, **more), jobs=jobs, ideal=flow_time(limit, jobs) + LATENCY)


def input_bound(limit: BucketLimit, jobs: int, *, prompt: str = WORDS, **more: Any) -> Scenario:
    """Jobs with a hundred tokens of input and a few digits each, for which only input is limited."""
    total = sum(-(-len(f"{prompt} {number}") // 4) for number in range(jobs))
    server = profile(limits=limits(tokens_in=limit), **more)
    return Scenario(profile=server, jobs=jobs, prompt=prompt, ideal=flow_time(limit, total) + LATENCY)


def output_bound(limit: BucketLimit, jobs: int, shortest: int, longest: int) -> Scenario:
    """Jobs that ask for up to 64,000 tokens and get far fewer, for which only output is limited."""
    server = profile(limits=limits(tokens_out=limit), output_tokens=(shortest, longest))
    mean = (shortest + longest) / 2
    ideal = flow_time(limit, jobs * mean) + TTFT * (1 + JITTER / 2) + mean / SPEED
    return Scenario(profile=server, jobs=jobs, ideal=ideal)


def steps(jobs: int, rates: dict[float, float], **more: Any) -> Scenario:
    """A limit that changes at each key of ``rates``. The bucket holds one second's worth."""
    profiles = [(at, profile(per_second(rate), **more)) for at, rate in rates.items()]
    schedule: Schedule = tuple(profiles[1:])
    ideal = stepped_time(rates, jobs, rates[0]) + LATENCY
    return Scenario(profile=profiles[0][1], schedule=schedule, jobs=jobs, ideal=ideal)


def cached(jobs: int) -> Scenario:
    """Jobs that read a long system prompt from the cache, so that only the question counts.

    Until its first token a job is debited for its whole length. So much of the limit cannot be used.
    """
    rate, prefix, question = 200.0, 2_000, "question " + "z" * 40
    limit = per_second(rate, burst=12_000)
    total = prefix + sum(-(-len(f"{question} {number}") // 4) for number in range(jobs))
    reserved = (prefix + 60) * (1 + rate * jobs / total * TTFT * (1 + JITTER / 2))
    system = [{"type": "text", "text": "y" * 4 * prefix, "cache_control": {"type": "ephemeral"}}]
    return Scenario(
        profile=profile(limits=limits(tokens_in=limit)),
        jobs=jobs,
        system=system,
        prompt=question,
        ideal=flow_time(limit, total + reserved) + LATENCY,
        pacing=lambda: Pacing(concurrency=Concurrency.found(8_192), warm_cache_first=True),
    )


def outage(jobs: int, *, until: float, since: float = 0.0) -> Scenario:
    """A server that is dead for a while, during which its bucket fills up."""
    alive, dead = profile(per_second(20)), profile(per_second(20), dead=True)
    first = dead if since == 0 else alive
    schedule: Schedule = ((until, alive),) if since == 0 else ((since, dead), (until, alive))
    before = 20 * since + 20 if since else 0
    ideal = until + max(0.0, jobs - before - 20) / 20 + LATENCY
    return Scenario(profile=first, schedule=schedule, jobs=jobs, ideal=ideal)


def stated(scenario: Scenario, **given: float) -> Scenario:
    """The same scenario with limits that the user states."""
    return Scenario(
        **{name: getattr(scenario, name) for name in ("profile", "jobs", "ideal", "prompt")},
        pacing=lambda: Pacing(concurrency=Concurrency.found(8_192), stated=Limits(**given)),
    )


def two_models() -> Scenario:
    """Two models, each with its own limit. The slower one decides; the other does not wait for it."""
    slow, fast = per_second(5), per_second(40)
    server = profile(slow, model_limits={"b": limits(requests=fast)})
    return Scenario(profile=server, jobs=400, models=("a", "b"), ideal=flow_time(slow, 200) + LATENCY)


def openai(limit: BucketLimit, jobs: int, max_tokens: int) -> Scenario:
    """Jobs for OpenAI, which counts ``max_tokens``, however long the answer is."""
    server = profile(limits=limits(tokens_in=limit))
    return Scenario(
        profile=server,
        jobs=jobs,
        dialect="openai",
        max_tokens=max_tokens,
        ideal=flow_time(limit, jobs * max_tokens) + LATENCY,
    )


STEADY: dict[str, Callable[[], Scenario]] = {
    "20/s, bucket of 20": lambda: requests_bound(per_second(20), 400),
    "20/s, bucket of 1": lambda: requests_bound(per_second(20, burst=1), 400),
    "20/s, bucket of 60": lambda: requests_bound(per_second(20, burst=60), 600),
    "20/s, bucket of 400": lambda: requests_bound(per_second(20, burst=400), 1_000),
    "5/s, bucket of 5": lambda: requests_bound(per_second(5), 200),
    "100/s, bucket of 100": lambda: requests_bound(per_second(100), 2_500),
    "20/s, no retry-after": lambda: requests_bound(per_second(20), 400, retry_after=False),
    "20/s, answers take 2 s": lambda: requests_bound(per_second(20), 1_600, ttft=2.0),
    "input tokens": lambda: input_bound(per_second(1_000, burst=5_000), 600),
    "input tokens, shallow": lambda: input_bound(per_second(2_000, burst=2_000), 800),
    "input tokens, long prompts": lambda: input_bound(
        per_second(8_000, burst=40_000), 200, prompt="w " * 4_000
    ),
    "output tokens": lambda: output_bound(per_second(1_000, burst=5_000), 600, 40, 40),
    "output tokens of all lengths": lambda: output_bound(per_second(1_000, burst=5_000), 600, 20, 180),
    "529 for one in ten": lambda: requests_bound(per_second(20), 600, faults={"529": 0.1}),
    "500 for one in twenty": lambda: requests_bound(per_second(20), 1_000, faults={"500": 0.05}),
    "two models": two_models,
    "OpenAI, max_tokens counts": lambda: openai(per_second(10_000, burst=20_000), 400, 500),
    "dead for 60 s, then back": lambda: outage(1_000, until=60),
    "dead from 10 to 70 s": lambda: outage(1_000, since=10, until=70),
    "4,000 a minute, 10 s latency": lambda: Scenario(
        profile=profile(BucketLimit(per_minute=4_000, burst=67), ttft=9.0, tokens_per_second=1e6),
        jobs=8_000,
        ideal=flow_time(BucketLimit(per_minute=4_000, burst=67), 8_000) + 9.0 * (1 + JITTER / 2),
    ),
    "stated below the server's": lambda: stated(requests_bound(per_second(10, burst=1), 300), rpm=600),
    "cache reads": lambda: cached(3_000),
    "2 at a time": lambda: Scenario(profile=profile(concurrency=2), jobs=600, ideal=300 * LATENCY),
}
SHIFTING: dict[str, Callable[[], Scenario]] = {
    "20, then 5, then 40/s": lambda: steps(1_200, {0: 20, 15: 5, 45: 40}),
    "40, then 10/s": lambda: steps(1_000, {0: 40, 15: 10}),
    "another client eats half": lambda: requests_bound(per_second(20, others=0.5), 400),
    "another client eats nine tenths": lambda: requests_bound(per_second(100, others=0.9), 600),
    "another client eats half the input": lambda: input_bound(
        BucketLimit(per_minute=240_000, burst=8_000, others=0.5), 800
    ),
    "no headers, bucket of 20": lambda: requests_bound(per_second(20), 1_200, rate_limit_headers=False),
    "no headers, bucket of 60": lambda: requests_bound(
        per_second(20, burst=60), 1_200, rate_limit_headers=False
    ),
    "no headers, bucket of 1": lambda: requests_bound(
        per_second(20, burst=1), 2_400, rate_limit_headers=False
    ),
    "no headers, 2 at a time": lambda: Scenario(
        profile=profile(concurrency=2, rate_limit_headers=False), jobs=600, ideal=300 * LATENCY
    ),
    "the rise is bounded": lambda: Scenario(
        profile=profile(per_second(20), ramp=Ramp(floor=10, factor=2)),
        jobs=4_800,
        ideal=ramped_time(per_second(20), Ramp(floor=10, factor=2), 4_800) + LATENCY,
    ),
}
SLOW: Final = frozenset(
    {
        "100/s, bucket of 100",
        "20/s, answers take 2 s",
        "4,000 a minute, 10 s latency",
        "cache reads",
        "no headers, bucket of 1",
        "the rise is bounded",
    }
)
"""Scenarios that take more than a second of CPU time."""


def capped(jobs: int, accepted: int) -> Scenario:
    """A spend cap: after ``accepted`` jobs every request gets a 429, however long the client waits."""
    limit = per_second(20)
    server = profile(limit, spend_cap=accepted)
    return Scenario(profile=server, jobs=jobs, ideal=flow_time(limit, accepted) + LATENCY)
