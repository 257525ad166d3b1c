"""The deadlines of many exchanges, watched by one task.

A cancel scope costs 5 us per exchange, and each move of its deadline half of that (trio 0.35); an entry in a
set costs 0.2 us. Deadlines only move later, so one task sleeps until the earliest of them, and has nothing
to do as long as responses arrive in time.
"""

from __future__ import annotations

from math import inf
from typing import Protocol

import trio


class Guarded(Protocol):
    """Something with a deadline. ``due``, on trio's clock, may move later while it is guarded."""

    due: float

    def cut(self) -> None:
        """Abort, because ``due`` has passed. Must not wait or raise."""
        ...


class Watchdog:
    """Aborts what is late, while `run` is running."""

    def __init__(self) -> None:
        self.running = False
        self._guarded: set[Guarded] = set()
        self._wakes_at = inf
        self._sleep = trio.CancelScope()

    def guard(self, guarded: Guarded) -> None:
        self._guarded.add(guarded)
        if guarded.due < self._wakes_at:
            self._wakes_at = self._sleep.deadline = guarded.due

    def release(self, guarded: Guarded) -> None:
        self._guarded.discard(guarded)

    async def run(self) -> None:
        """Watch until cancelled."""
        self.running = True
        try:
            while True:
                with trio.CancelScope(deadline=self._wakes_at) as self._sleep:
                    await trio.sleep_forever()
                self._cut_late(trio.current_time())
        finally:
            self.running = False

    def _cut_late(self, now: float) -> None:
        for guarded in [guarded for guarded in self._guarded if guarded.due <= now]:
            self._guarded.discard(guarded)
            guarded.cut()
        self._wakes_at = min((guarded.due for guarded in self._guarded), default=inf)
