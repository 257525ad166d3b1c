"""One seed, one run: requests, times, responses and records are the same every time."""

from __future__ import annotations

from pathlib import Path

import attrs
import trio
from trio.testing import MockClock

from tests.runner.disk import SimulatedDisk
from tests.runner.program import INPUT, jobs, requests, run, simulator
from tests.scenarios.scheduling import seeded_scheduler

FAULTS = {"429": 0.05, "529": 0.05, "500": 0.1, "reset": 0.1, "cut": 0.1, "html": 0.05, "hang": 0.02}


@attrs.define
class TracedDisk(SimulatedDisk):
    """Records every append, with its time."""

    trace: list[tuple[float, str, bytes]] = attrs.field(factory=list[tuple[float, str, bytes]])

    def append(self, path: Path, data: bytes) -> int:
        if not path.name.endswith(".headrace"):
            self.trace.append((trio.current_time(), path.name, data))
        return super().append(path, data)


def trace_of(seed: int) -> tuple[object, ...]:
    """One run with faults: everything that the server and the disk saw, to the microsecond."""
    disk, server = TracedDisk(), simulator(faults=FAULTS, tokens_per_second=500.0)
    disk.put(INPUT, jobs(150))

    async def main() -> object:
        return await run(disk, server, seed=seed, concurrency=16, timeout=20.0)

    with seeded_scheduler(seed):
        summary = trio.run(main, clock=MockClock(autojump_threshold=0))
    received = [(record.time, record.body, record.status, record.fault) for record in server.log.records]
    assert requests(server) > 150
    return received, disk.trace, summary


def test_the_same_seed_gives_the_same_trace() -> None:
    assert trace_of(7) == trace_of(7)


def test_another_seed_gives_another_trace() -> None:
    assert trace_of(8) != trace_of(7)
