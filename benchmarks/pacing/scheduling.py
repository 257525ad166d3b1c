"""A run in virtual time that is the same each time: trio's order of tasks, too, follows from the seed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from trio._core import _run  # pyright: ignore[reportPrivateUsage]  # trio has no public switch for its dice


@contextmanager
def seeded_scheduler(seed: int) -> Generator[None]:
    """Let trio run tasks in an order that follows from the seed."""
    inside = _run.__dict__
    before, dice = inside["_ALLOW_DETERMINISTIC_SCHEDULING"], inside["_r"]
    state = dice.getstate()
    inside["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    dice.seed(seed)
    try:
        yield
    finally:
        inside["_ALLOW_DETERMINISTIC_SCHEDULING"] = before
        dice.setstate(state)
