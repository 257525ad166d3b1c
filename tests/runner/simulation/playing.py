"""Play histories: one seed always gives the same history."""

from __future__ import annotations

from functools import partial

import trio
from trio.testing import MockClock

from tests.scenarios.scheduling import seeded_scheduler

from .history import History
from .promises import Broken, check, check_last

_TIMEOUT = 20_000.0
"""Seconds of virtual time after which a history counts as hanging."""


def play(seed: int) -> list[str]:
    """Play the history of a seed and return its trace. Raises `Broken` with the command that replays it."""
    history = History(seed)
    with seeded_scheduler(seed):
        try:
            trio.run(partial(_play, history), clock=MockClock(autojump_threshold=0))
        except Exception as error:
            raise Broken(
                f"seed {seed}: {error}\nagain: python -m tests.runner.simulation --seed {seed}"
            ) from error
    return history.trace


async def _play(history: History) -> None:
    with trio.fail_after(_TIMEOUT):
        await _play_all(history)


async def _play_all(history: History) -> None:
    for number in range(history.rng.randint(2, 4)):
        if number:
            history.edit()
        check(history, await history.play(history.draw()))
    ending = await history.play(history.last())
    check(history, ending)
    check_last(history, ending)
