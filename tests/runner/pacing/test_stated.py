"""Limits that the user states: which are invalid, and how they combine with those of the server."""

from __future__ import annotations

import attrs
import pytest

from headrace import Limits
from headrace._exceptions import RunRefused
from headrace.pacing import Concurrency, Pacing
from tests.scenarios.catalogue import requests_bound
from tests.scenarios.engine import play
from tests.scenarios.scenario import per_second


@pytest.mark.parametrize("given", [{"rpm": 0}, {"itpm": -1}, {"otpm": float("nan")}])
def test_a_limit_that_is_not_above_zero_is_rejected(given: dict[str, float]) -> None:
    with pytest.raises(RunRefused, match=r"[io]?[rt]pm=.*must be above 0"):
        Limits(**given)


@pytest.mark.parametrize("share", [0, -0.5, 1.5, float("nan")])
def test_a_share_is_above_zero_and_at_most_one(share: float) -> None:
    with pytest.raises(RunRefused, match=r"share=.*must be above 0 and at most 1"):
        Limits(share=share)


@pytest.mark.parametrize(
    ("given", "seconds"), [({"share": 0.5}, 20), ({"rpm": 300}, 40), ({"rpm": 9_000}, 9)]
)
def test_the_lower_of_the_stated_and_the_servers_limit_decides(
    given: dict[str, float], seconds: float
) -> None:
    """200 jobs at 20 per second, of which 20 may be sent at once."""
    scenario = requests_bound(per_second(20), 200)
    stated = attrs.evolve(
        scenario, pacing=lambda: Pacing(concurrency=Concurrency.found(64), stated=Limits(**given))
    )
    report = play(stated)

    assert report.refused == 0
    assert report.seconds == pytest.approx(seconds, rel=0.05)
