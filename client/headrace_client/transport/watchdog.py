"""The deadlines of many exchanges, kept by one task.

Opening a cancel scope costs an exchange 5 us, moving the deadline of an open one half of that, each time
(trio 0.35); an entry in a set costs 0.2. Deadlines move in one direction only, so the task that keeps them
sleeps until the first of them, and finds that it has nothing to do as long as answers come in time.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

import trio


class Guarded(Protocol):
    """What has a deadline: ``due`` (trio's clock) may move later while it is guarded."""

    due: float

    def cut(self) -> None:
        """End at once, because ``due`` has passed. Must not wait or raise."""
        ...


class Watchdog:
    """Cuts what is late. Nothing is watched but while `run` runs."""

    def __init__(self) -> None:
        self.running = False
        self._guarded: set[Guarded] = set()
        self._wakes_at = inf
        self._sleep = trio.CancelScope()

    def guard(self, guarded: Guarded) -> None:
        """Watch from now on."""
        self._guarded.add(guarded)
        if guarded.due < self._wakes_at:
            self._wakes_at = self._sleep.deadline = guarded.due

    def release(self, guarded: Guarded) -> None:
        """Watch no longer."""
        self._guarded.discard(guarded)

    async def run(self) -> None:
        """Watch until cancelled."""
        self.running = True
        try:
            while True:
                with trio.CancelScope(deadline=self._wakes_at) as self._sleep:
                    await trio.sleep_forever()
                self._cut_what_is_late(trio.current_time())
        finally:
            self.running = False

    def _cut_what_is_late(self, now: float) -> None:
        for guarded in [guarded for guarded in self._guarded if guarded.due <= now]:
            self._guarded.discard(guarded)
            guarded.cut()
        self._wakes_at = min((guarded.due for guarded in self._guarded), default=inf)
