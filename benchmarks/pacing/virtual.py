"""All policies in all scenarios, in virtual time: one seed, one table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import attrs

from tests.scenarios.catalogue import SHIFTING, STEADY, capped
from tests.scenarios.engine import play
from tests.scenarios.scenario import Scenario
from tests.scenarios.scheduling import seeded_scheduler

from .driver import PATIENCE, play_policy
from .measured import Paced
from .policies import AdditiveIncrease, FixedConcurrency, OneProbe, Policy

OURS: Final = "headrace"
SCENARIOS: Final[Mapping[str, Callable[[], Scenario]]] = {
    "20/s": STEADY["20/s, bucket of 20"],
    "20, then 5, then 40/s": SHIFTING["20, then 5, then 40/s"],
    "another client eats half": SHIFTING["another client eats half"],
    "input tokens bind, max_tokens 64,000 for 40": STEADY["input tokens"],
    "output tokens bind": STEADY["output tokens"],
    "cache reads": STEADY["cache reads"],
    "bucket of 1": STEADY["20/s, bucket of 1"],
    "bucket of 60": STEADY["20/s, bucket of 60"],
    "no headers": SHIFTING["no headers, bucket of 20"],
    "no retry-after": STEADY["20/s, no retry-after"],
    "the rise is bounded": SHIFTING["the rise is bounded"],
    "2 at a time": STEADY["2 at a time"],
    "529 for one in ten": STEADY["529 for one in ten"],
    "dead for 60 s, then back": STEADY["dead for 60 s, then back"],
    "spend cap after 100": lambda: capped(400, 100),
}
POLICIES: Final[Mapping[str, Callable[[], Policy]]] = {
    "64 at a time, 2 retries": lambda: FixedConcurrency(slots=64, retries=2),
    "64 at a time, 10 retries": lambda: FixedConcurrency(slots=64, retries=10),
    "one probe": OneProbe,
    "AIMD": AdditiveIncrease,
}
NAMES: Final = (OURS, *POLICIES)


def compare(scenarios: Sequence[str], policies: Sequence[str], seed: int) -> Iterator[Paced]:
    """Play each policy in each scenario."""
    for name in scenarios:
        scenario = attrs.evolve(SCENARIOS[name](), seed=seed)
        for policy in policies:
            yield _measure(name, scenario, policy)


def _measure(name: str, scenario: Scenario, policy: str) -> Paced:
    with seeded_scheduler(scenario.seed):
        played = play(scenario) if policy == OURS else play_policy(POLICIES[policy](), scenario)
    return Paced(
        scenario=name,
        name=policy,
        seed=scenario.seed,
        jobs=scenario.jobs,
        possible=min(scenario.jobs, scenario.profile.spend_cap or scenario.jobs),
        finished=played.finished,
        seconds=played.seconds,
        ideal=scenario.ideal,
        refused=played.log.statuses[429],
        sent=played.log.statuses.total(),
        stopped=played.seconds >= PATIENCE * scenario.ideal,
    )
