"""The whole program in memory, under virtual time: job file, runner, transport, simulator, disk."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import attrs
import outcome
import trio

from headrace.actors.messages import Stop
from headrace.actors.statistics import Snapshot
from headrace.input.files import InputFile, Inputs
from headrace.policy.options import InputOptions, RequestOptions, RunOptions
from headrace.policy.stop import ExitCode, StopReason
from headrace.run.execution import execute
from headrace.run.summary import Summary
from headrace.run.system import System
from headrace.simulator import Profile, Simulator, in_memory_connector
from headrace.simulator._asgi import App
from headrace_client.transport import Connector
from tests.runner.disk import SimulatedDisk

INPUT, OUTPUT = Path("/in/jobs.jsonl"), Path("/out/results.jsonl")
ERRORS, SPOOL = Path("/out/results.errors.jsonl"), Path("/spool/rest.jsonl")
KEY = "sk-test-7f9c"
EPOCH = 1_767_225_600.0
INTERRUPT = StopReason(ExitCode.INTERRUPTED, "stopped by a test")


def jobs(count: int, *, max_tokens: int = 20, **body: Any) -> bytes:
    """Lines of the Anthropic dialect, ids ``job-0`` and on, each with a question of its own."""
    return b"".join(
        json.dumps(
            {
                "custom_id": f"job-{n}",
                "params": {
                    "model": "m",
                    "max_tokens": max_tokens,
                    "messages": [{"role": "user", "content": f"question {n}"}],
                    **body,
                },
            }
        ).encode()
        + b"\n"
        for n in range(count)
    )


def new_disk(lines: bytes) -> SimulatedDisk:
    """A disk with nothing on it but the job file."""
    disk = SimulatedDisk()
    disk.put(INPUT, lines)
    return disk


def records(disk: SimulatedDisk, path: Path = OUTPUT) -> list[dict[str, Any]]:
    """The records of a file; none if there is no such file."""
    if path not in disk.platters.files:
        return []
    content = disk.content(path)
    assert not content or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def ids(disk: SimulatedDisk, path: Path = OUTPUT) -> list[str]:
    """The ids of a file's records, in its order."""
    return [record["custom_id"] for record in records(disk, path)]


class Glimpses(list[Snapshot]):
    """A live view that breaks after so many snapshots: whoever read it has gone."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def append(self, snapshot: Snapshot, /) -> None:
        if len(self) == self._most:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        super().append(snapshot)


@attrs.define
class Told:
    """What a run told its user while it went on."""

    notices: list[str] = attrs.field(factory=list[str])
    snapshots: list[Snapshot] = attrs.field(factory=list[Snapshot])


async def run(
    disk: SimulatedDisk,
    app: App,
    *,
    seed: int = 0,
    stops: Iterable[tuple[float, Stop]] = (),
    told: Told | None = None,
    request: RequestOptions | None = None,
    network: Callable[[Connector], Connector] | None = None,
    clock_steps: Iterable[tuple[float, float]] = (),
    **options: Any,
) -> Summary:
    """Run the job file of a disk against a server.

    ``stops``: wishes to end, each so many seconds after the start. ``network``: what lies between.
    ``clock_steps``: so many seconds after the start, the wall clock jumps by so many seconds.
    """
    told = told or Told()
    began, steps = trio.current_time(), list(clock_steps)
    options.setdefault("concurrency", 8)
    async with trio.open_nursery() as nursery:
        connect = in_memory_connector(app, nursery)
        system = System(
            storage=disk,
            rescue_file=SPOOL,
            open_inputs=lambda given: inputs_of(disk, given),
            connect=connect if network is None else network(connect),
            wall_clock=lambda: EPOCH + trio.current_time() + _stepped(steps, trio.current_time() - began),
            random=Random(seed).random,
            in_thread=slowly,
        )
        asked = RunOptions.of(
            INPUT,
            output=OUTPUT,
            base_url="http://api.localhost",
            environ={"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY},
            **options,
        )
        if request is not None:
            asked = attrs.evolve(asked, request=request)
        came_of_it = await outcome.acapture(
            lambda: execute(
                asked,
                system=system,
                stops=lambda: _later(list(stops)),
                display=lambda _: _collect(told),
                notify=told.notices.append,
            )
        )
        nursery.cancel_scope.cancel()
    return came_of_it.unwrap()


async def slowly(call: Callable[[], None]) -> None:
    """Block for a few milliseconds of virtual time, in the middle of which the call is made."""
    await trio.sleep(0.004)
    call()
    await trio.sleep(0.004)


def inputs_of(disk: SimulatedDisk, options: InputOptions) -> Inputs:
    """The inputs of a run, on the simulated disk."""
    files = [InputFile(path=Path(name), size=len(disk.content(Path(name)))) for name in options.files]
    return Inputs(files=files, disk=disk, first=options.first)


def _stepped(steps: Iterable[tuple[float, float]], elapsed: float) -> float:
    return sum(by for after, by in steps if elapsed >= after)


async def _later(stops: list[tuple[float, Stop]]) -> AsyncGenerator[Stop]:
    began = trio.current_time()
    for after, stop in stops:
        await trio.sleep_until(began + after)
        yield stop
    await trio.sleep_forever()


@contextmanager
def _collect(told: Told) -> Generator[Callable[[Snapshot], None]]:
    yield told.snapshots.append


def simulator(**profile: Any) -> Simulator:
    """A simulated API; the arguments are those of a `Profile`."""
    return Simulator(Profile(**profile), epoch=EPOCH)


def requests(server: Simulator) -> int:
    """How many requests have arrived."""
    return len(server.log.records)
