"""Histories of the whole program from seeds. For more of them: ``just simulate 200000``."""

from __future__ import annotations

import pytest

from tests.long import long_if
from tests.runner.simulation.playing import play

_SEEDS = 2_000
_QUICK = 150
_CHUNK = 10
"""Seeds of one test: few, so that no process is left alone with much at the end."""


@pytest.mark.parametrize("first", long_if(lambda first: first >= _QUICK, range(0, _SEEDS, _CHUNK)))
def test_the_promises_hold_in_every_history(first: int) -> None:
    """P1-P9, P11-P13, P17; a failure names its seed, and the command that plays it again."""
    for seed in range(first, first + _CHUNK):
        play(seed)


def test_one_seed_gives_one_trace() -> None:
    for seed in range(12):
        assert play(seed) == play(seed)


def test_another_seed_gives_another_trace() -> None:
    assert len({tuple(play(seed)) for seed in range(12)}) == 12
