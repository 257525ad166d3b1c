"""In every world that a run can finish in, it takes little more than the ideal time and meets next to no 429.

The ideal is said with each world; how it is computed, in `benchmarks.pacing.ideal`. Where the limits stay
and are told in headers: 1.05 of the ideal time and 0.5 refusals in 100 jobs. Where they change, are shared,
or nobody tells them: 1.10 and 2.
"""

from __future__ import annotations

import pytest
from benchmarks.pacing.engine import Report, play
from benchmarks.pacing.scenario import Scenario
from benchmarks.pacing.worlds import SHIFTING, STEADY


def assert_near(report: Report, scenario: Scenario, *, time: float, refusals: float) -> None:
    """All jobs have results, within the time and the refusals that are allowed."""
    in_100 = 100 * report.refused / scenario.jobs
    told = f"{report.seconds:.2f} s of {scenario.ideal:.2f}, {in_100:.2f} refusals in 100 jobs"

    assert report.finished == scenario.jobs
    assert report.seconds <= time * scenario.ideal, told
    assert in_100 <= refusals, told


@pytest.mark.parametrize("name", STEADY)
def test_limits_that_stay_and_are_told(name: str) -> None:
    scenario = STEADY[name]()

    assert_near(play(scenario), scenario, time=1.05, refusals=0.5)


@pytest.mark.parametrize("name", SHIFTING)
def test_limits_that_change_or_are_shared_or_untold(name: str) -> None:
    scenario = SHIFTING[name]()

    assert_near(play(scenario), scenario, time=1.10, refusals=2.0)
