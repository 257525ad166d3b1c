"""In every scenario that a run can finish, it takes little more than the ideal time and meets hardly any 429.

Each scenario states its ideal time; `tests.scenarios.ideal` computes it. With constant limits in headers:
at most 1.05 of the ideal time and 0.5 refusals per 100 jobs. With limits that change, are shared with others,
or are not reported: 1.10 and 2.
"""

from __future__ import annotations

import pytest

from tests.long import long_if
from tests.scenarios.catalogue import SHIFTING, SLOW, STEADY
from tests.scenarios.engine import Report, play
from tests.scenarios.scenario import Scenario


def assert_near(report: Report, scenario: Scenario, *, time: float, refusals: float) -> None:
    """All jobs have results, within the allowed time and refusals."""
    in_100 = 100 * report.refused / scenario.jobs
    measured = f"{report.seconds:.2f} s of {scenario.ideal:.2f}, {in_100:.2f} refusals per 100 jobs"

    assert report.finished == scenario.jobs
    assert report.seconds <= time * scenario.ideal, measured
    assert in_100 <= refusals, measured


@pytest.mark.parametrize("name", long_if(SLOW.__contains__, STEADY))
def test_constant_limits_in_headers(name: str) -> None:
    scenario = STEADY[name]()

    assert_near(play(scenario), scenario, time=1.05, refusals=0.5)


@pytest.mark.parametrize("name", long_if(SLOW.__contains__, SHIFTING))
def test_limits_that_change_or_are_shared_or_not_reported(name: str) -> None:
    scenario = SHIFTING[name]()

    assert_near(play(scenario), scenario, time=1.10, refusals=2.0)
