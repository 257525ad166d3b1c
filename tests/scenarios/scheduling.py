"""Make runs in virtual time repeatable: the order in which trio runs tasks follows from a seed."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from trio._core import _run  # pyright: ignore[reportPrivateUsage]  # trio has no public way to seed its scheduler


@contextmanager
def seeded_scheduler(seed: int) -> Generator[None]:
    """While the block runs, trio orders the tasks that are ready by a random source with this seed."""
    inside = _run.__dict__
    before, random = inside["_ALLOW_DETERMINISTIC_SCHEDULING"], inside["_r"]
    state = random.getstate()
    inside["_ALLOW_DETERMINISTIC_SCHEDULING"] = True
    random.seed(seed)
    try:
        yield
    finally:
        inside["_ALLOW_DETERMINISTIC_SCHEDULING"] = before
        random.setstate(state)
