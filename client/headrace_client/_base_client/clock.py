"""The clock of a client: time, sleep and randomness in one place, so that tests can replace them."""

from __future__ import annotations

import random
import time
from typing import Final, Protocol

import anyio


class Clock(Protocol):
    """Time, sleep and randomness. Times are in seconds."""

    def time(self) -> float:
        """Return the wall-clock time as Unix time."""
        ...

    def monotonic(self) -> float:
        """Return a time that never goes backwards, from an arbitrary start."""
        ...

    def random(self) -> float:
        """Return a random number in [0, 1), for jitter."""
        ...

    def sleep(self, seconds: float) -> None:
        """Block the thread; for the blocking client."""
        ...

    async def sleep_async(self, seconds: float) -> None:
        """Suspend the task; for the asynchronous client."""
        ...


class SystemClock:
    """The real clock."""

    def time(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def random(self) -> float:
        return random.random()  # noqa: S311  # spreads retries; it keeps no secret

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def sleep_async(self, seconds: float) -> None:
        await anyio.sleep(seconds)


SYSTEM_CLOCK: Final[Clock] = SystemClock()
