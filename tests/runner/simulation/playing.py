"""Playing histories: one seed, one history, the same every time."""

from __future__ import annotations

from functools import partial

import trio
from trio.testing import MockClock

from tests.scenarios.scheduling import seeded_scheduler

from .history import History
from .promises import Broken, check, check_last

_ETERNITY = 20_000.0
"""Seconds of virtual time: a history that is not over then hangs."""


def play(seed: int) -> list[str]:
    """Play the history of a seed; return its trace. Raises `Broken`, with the command that plays it again."""
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
    with trio.fail_after(_ETERNITY):
        await _play_all(history)


async def _play_all(history: History) -> None:
    for number in range(history.rng.randint(2, 4)):
        if number:
            history.edit()
        check(history, await history.play(history.draw()))
    ending = await history.play(history.last())
    check(history, ending)
    check_last(history, ending)
