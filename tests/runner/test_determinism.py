"""One seed, one run: what is sent, when, what is answered and what is written are the same every time."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio._core import _run  # pyright: ignore[reportPrivateUsage]  # trio has no public switch for its dice
from trio.testing import MockClock

from tests.runner.disk import SimulatedDisk
from tests.runner.program import INPUT, jobs, requests, run, simulator

FAULTS = {"429": 0.05, "529": 0.05, "500": 0.1, "reset": 0.1, "cut": 0.1, "html": 0.05, "hang": 0.02}


@pytest.fixture
def seeded_scheduler(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    """Let trio run tasks in an order that follows from a seed; gives the function that sets it."""
    monkeypatch.setattr(_run, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    dice = _run._r  # pyright: ignore[reportPrivateUsage]  # likewise
    state = dice.getstate()
    yield dice.seed
    dice.setstate(state)


@attrs.define
class TracedDisk(SimulatedDisk):
    """Remembers every append, with its time."""

    trace: list[tuple[float, str, bytes]] = attrs.field(factory=list[tuple[float, str, bytes]])

    def append(self, path: Path, data: bytes) -> int:
        if not path.name.endswith(".headrace"):
            self.trace.append((trio.current_time(), path.name, data))
        return super().append(path, data)


def trace_of(seed: int) -> tuple[object, ...]:
    """One run under faults: everything that the server and the disk saw, to the microsecond."""
    disk, server = TracedDisk(), simulator(faults=FAULTS, tokens_per_second=500.0)
    disk.put(INPUT, jobs(150))

    async def main() -> object:
        return await run(disk, server, seed=seed, concurrency=16, timeout=20.0)

    summary = trio.run(main, clock=MockClock(autojump_threshold=0))
    received = [(record.time, record.body, record.status, record.fault) for record in server.log.records]
    assert requests(server) > 150
    return received, disk.trace, summary


def test_the_same_seed_gives_the_same_trace(seeded_scheduler: Any) -> None:
    traces: list[tuple[object, ...]] = []
    for _ in range(2):
        seeded_scheduler(7)
        traces.append(trace_of(7))

    assert traces[0] == traces[1]


def test_another_seed_gives_another_trace(seeded_scheduler: Any) -> None:
    seeded_scheduler(7)
    first = trace_of(7)
    seeded_scheduler(8)

    assert trace_of(8) != first
