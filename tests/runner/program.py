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
ERRORS, RESCUE_FILE = Path("/out/results.errors.jsonl"), Path("/tmp/rest.jsonl")
KEY = "sk-test-7f9c"
EPOCH = 1_767_225_600.0
INTERRUPT = StopReason(ExitCode.INTERRUPTED, "stopped by a test")


def jobs(count: int, *, max_tokens: int = 20, **body: Any) -> bytes:
    """Lines in the Anthropic format with the ids ``job-0``, ``job-1``, ..., each with its own question."""
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
    """A disk with only the job file on it."""
    disk = SimulatedDisk()
    disk.put(INPUT, lines)
    return disk


def records(disk: SimulatedDisk, path: Path = OUTPUT) -> list[dict[str, Any]]:
    """The records of a file, none if the file does not exist."""
    if path not in disk.platters.files:
        return []
    content = disk.content(path)
    assert not content or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def ids(disk: SimulatedDisk, path: Path = OUTPUT) -> list[str]:
    """The ids of a file's records, in order."""
    return [record["custom_id"] for record in records(disk, path)]


class BreakingView(list[Snapshot]):
    """A live view that breaks after ``count`` snapshots, like a closed pipe."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def append(self, snapshot: Snapshot, /) -> None:
        if len(self) == self._count:
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        super().append(snapshot)


@attrs.define
class Shown:
    """What a run has shown its user."""

    notices: list[str] = attrs.field(factory=list[str])
    snapshots: list[Snapshot] = attrs.field(factory=list[Snapshot])


async def run(
    disk: SimulatedDisk,
    app: App,
    *,
    seed: int = 0,
    stops: Iterable[tuple[float, Stop]] = (),
    shown: Shown | None = None,
    request: RequestOptions | None = None,
    network: Callable[[Connector], Connector] | None = None,
    clock_steps: Iterable[tuple[float, float]] = (),
    **options: Any,
) -> Summary:
    """Run the job file of a disk against a server.

    ``stops``: requests to stop, each with its seconds after the start. ``network``: wraps the connections.
    ``clock_steps``: pairs of seconds after the start and seconds by which the wall clock then jumps.
    """
    shown = shown or Shown()
    began, steps = trio.current_time(), list(clock_steps)
    options.setdefault("concurrency", 8)
    async with trio.open_nursery() as nursery:
        connect = in_memory_connector(app, nursery)
        system = System(
            storage=disk,
            rescue_file=RESCUE_FILE,
            open_inputs=lambda given: inputs_of(disk, given),
            connect=connect if network is None else network(connect),
            wall_clock=lambda: EPOCH + trio.current_time() + _stepped(steps, trio.current_time() - began),
            random=Random(seed).random,
            in_thread=slowly,
        )
        run_options = RunOptions.of(
            INPUT,
            output=OUTPUT,
            base_url="http://api.localhost",
            environ={"ANTHROPIC_API_KEY": KEY, "OPENAI_API_KEY": KEY},
            **options,
        )
        if request is not None:
            run_options = attrs.evolve(run_options, request=request)
        captured = await outcome.acapture(
            lambda: execute(
                run_options,
                system=system,
                stops=lambda: _later(list(stops)),
                display=lambda _: _collect(shown),
                notify=shown.notices.append,
            )
        )
        nursery.cancel_scope.cancel()
    return captured.unwrap()


async def slowly(call: Callable[[], None]) -> None:
    """Block for 8 ms of virtual time and make the call in the middle of it."""
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
def _collect(shown: Shown) -> Generator[Callable[[Snapshot], None]]:
    yield shown.snapshots.append


def simulator(**profile: Any) -> Simulator:
    """A simulated API. The arguments are those of a `Profile`."""
    return Simulator(Profile(**profile), epoch=EPOCH)


def requests(server: Simulator) -> int:
    """The number of requests that have arrived."""
    return len(server.log.records)
