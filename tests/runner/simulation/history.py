"""One history of one output, drawn from a seed: runs that end in all ways, and what must hold after each.

A history has two to four runs, each of which meets a fate (a kill, a power failure, Ctrl-C, a full disk, a
closed pipe). Between them the input or the recipe may change. A last run meets no fate. Meanwhile the server
fails and the network corrupts responses. After each run the promises are checked (`promises.py`).
"""

from __future__ import annotations

import errno
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any, Literal

import attrs
import trio

from headrace._exceptions import HeadraceError
from headrace.actors.messages import Stop
from headrace.policy.options import RequestOptions
from headrace.policy.stop import ExitCode, StopReason
from headrace.run.summary import Summary
from headrace.simulator import FaultKind, Profile, Simulator
from tests.runner.disk import Fault, Killed, SimulatedDisk, disk_full, io_error
from tests.runner.program import (
    EPOCH,
    ERRORS,
    INPUT,
    INTERRUPT,
    OUTPUT,
    RESCUE_FILE,
    BreakingView,
    Shown,
    run,
)

from .files import whole_records
from .jobs import JobFile
from .network import CorruptingNetwork
from .refusals import Recipes, must_refuse

Fate = Literal[
    "none",
    "kill",
    "kill at a call",
    "interrupt",
    "terminate twice",
    "full disk",
    "failing disk",
    "broken view",
]
FATES: tuple[Fate, ...] = (
    "none",
    "kill",
    "kill",
    "kill at a call",
    "kill at a call",
    "interrupt",
    "terminate twice",
    "full disk",
    "failing disk",
    "broken view",
)
TERMINATE = StopReason(ExitCode.TERMINATED, "terminated by a test")
_FAULTS: tuple[FaultKind, ...] = ("429", "529", "500", "reset", "cut", "garbage", "hang", "html")
_AFTER_OPENING = 9
"""Opening an output makes at most this many calls to the disk. A later fault hits the writer."""


@attrs.define
class MortalDisk(SimulatedDisk):
    """The disk of one process. Once the process is dead, nothing that it does reaches the platters."""

    dead: bool = False
    died_at_call: bool = False

    def _next_fault(self) -> Fault | None:
        if self.dead:
            raise Killed
        fault = super()._next_fault()
        if isinstance(fault, Killed):
            self.dead = self.died_at_call = True
        return fault

    def truncate(self, path: Path, size: int) -> None:
        """Cut a file, which a full disk allows too."""
        fault = self.faults.get(self.calls)
        if isinstance(fault, OSError) and fault.errno == errno.ENOSPC:
            del self.faults[self.calls]
        super().truncate(path, size)


@attrs.frozen(kw_only=True)
class Command:
    """One command line and its fate."""

    fate: Fate
    power: bool
    """Whether the power fails when the process dies."""
    at: float
    call: int
    taken: int
    faults: dict[FaultKind, float]
    corrupted: float
    temperature: float
    options: dict[str, Any]


@attrs.define(kw_only=True)
class Ending:
    """How a run ended, with all that `promises` needs to judge it."""

    command: Command
    summary: Summary | None = None
    refused: HeadraceError | None = None
    must_refuse: bool = False
    counted: int = 0
    """The number of results in the last progress line."""
    paid: int = 0
    """The number of whole answers that the server sent."""
    requests: int = 0
    corrupted: int = 0
    fault_met: bool = False
    seconds: float = 0.0
    before: dict[str, set[bytes]] = attrs.field(factory=dict[str, set[bytes]])
    """By file, the whole lines when the run began."""
    died: dict[str, set[bytes]] = attrs.field(factory=dict[str, set[bytes]])
    """By file, the whole lines when it ended, before a power failure took some."""

    @property
    def killed(self) -> bool:
        return self.summary is None and self.refused is None


@attrs.define
class History:
    """The input, the disk and the past of one seed."""

    seed: int
    rng: Random = attrs.field(init=False)
    jobs: JobFile = attrs.field(init=False)
    disk: MortalDisk = attrs.field(factory=MortalDisk)
    temperature: float = 0.0
    stream: bool = False
    recipes: Recipes = attrs.field(factory=Recipes)
    trace: list[str] = attrs.field(factory=list[str])

    def __attrs_post_init__(self) -> None:
        self.rng = Random(self.seed)
        self.jobs = JobFile(self.rng)
        self.jobs.grow(self.rng.randint(1, 30))
        self.stream = self.rng.random() < 0.3

    def edit(self) -> None:
        """Change the input or the recipe, or neither."""
        match self.rng.randrange(9):
            case 0:
                self.jobs.grow(self.rng.randint(1, 10))
            case 1:
                self.jobs.shuffle()
            case 2:
                self.jobs.drop()
            case 3:
                self.jobs.edit()
            case 4:
                self.temperature = self.rng.choice([0.0, 0.5])
            case _:
                pass

    def draw(self) -> Command:
        """Draw the next command."""
        rng = self.rng
        fate = rng.choice(FATES)
        kinds = rng.sample(_FAULTS, rng.randrange(4))
        return Command(
            fate=fate,
            power=rng.random() < 0.4,
            at=rng.uniform(0.0, 0.2) + rng.random() ** 2 * 2.0,
            call=rng.randrange(40) if fate == "kill at a call" else rng.randint(_AFTER_OPENING, 25),
            taken=rng.choice([0, 1, 40, 10_000]),
            faults={kind: rng.choice([0.03, 0.1, 0.25]) for kind in kinds},
            corrupted=rng.choice([0.0, 0.0, 0.1, 0.3]),
            temperature=self.temperature,
            options={
                "concurrency": rng.choice([1, 3, 8, 16]),
                "durability": "fsync" if fate == "failing disk" else rng.choice(["none", "flush", "fsync"]),
                "on_change": rng.choice(["refuse", "rerun", "skip"]),
                "retry_failed": rng.choice(["all", "transient", "none"]),
                "grace": rng.choice([0.05, 60.0]),
                "ordered": rng.random() < 0.3,
            },
        )

    def last(self) -> Command:
        """The command that completes the output. It meets no fate."""
        recorded = {record.id for record in whole_records(self.disk, OUTPUT)}
        options = {
            "concurrency": 8,
            "durability": "flush",
            "on_change": "rerun",
            "retry_failed": "all",
            "grace": 60.0,
            "ordered": True,
            # An output without a record of this input is rejected: only a restart can complete it.
            "restart": bool(recorded) and recorded.isdisjoint(self.jobs.ids()),
        }
        return Command(
            fate="none",
            power=False,
            at=0.0,
            call=0,
            taken=0,
            faults={},
            corrupted=0.0,
            temperature=self.temperature,
            options=options,
        )

    async def play(self, command: Command) -> Ending:
        """Run a command to its end and leave the disk to the next process."""
        self.disk.put(INPUT, self.jobs.content)
        self.disk.faults = _disk_faults(command)
        server = Simulator(
            Profile(faults=command.faults, known_models=("m",), output_tokens=(8, 8), ttft=0.03),
            seed=self.rng.randrange(2**32),
            epoch=EPOCH,
        )
        network = CorruptingNetwork(Random(self.rng.random()), command.corrupted)
        ending = Ending(command=command, before=self._lines(), must_refuse=self._must_refuse(command))
        began = trio.current_time()
        shown = Shown(snapshots=BreakingView(command.call % 3)) if command.fate == "broken view" else Shown()
        await self._run(ending, server, network, shown)
        ending.seconds = trio.current_time() - began
        ending.counted = shown.snapshots[-1].results if shown.snapshots else 0
        ending.paid = sum(
            each.status == 200 and each.finished and not each.fault for each in server.log.records
        )
        ending.requests = len(server.log.records)
        ending.corrupted = network.corrupted
        ending.fault_met = any(call < self.disk.calls for call in self.disk.faults)
        ending.died = self._lines()
        self.recipes.learn(whole_records(self.disk, OUTPUT), command.temperature)
        self._trace(ending, server)
        self.disk = self._next_disk(ending)
        return ending

    async def _run(self, ending: Ending, server: Simulator, network: CorruptingNetwork, shown: Shown) -> None:
        command, disk = ending.command, self.disk
        with trio.CancelScope() as process:
            async with trio.open_nursery() as nursery:
                if command.fate == "kill":
                    nursery.start_soon(_kill, disk, process, command.at)
                try:
                    ending.summary = await run(
                        disk,
                        server,
                        seed=self.rng.randrange(2**32),
                        stops=_stops(command),
                        shown=shown,
                        request=RequestOptions(set={"temperature": command.temperature}, stream=self.stream),
                        network=network,
                        timeout=5.0,
                        input_format="anthropic",
                        **command.options,
                    )
                except HeadraceError as error:
                    ending.refused = error
                except BaseExceptionGroup as group:
                    if not disk.died_at_call:
                        raise
                    del group
                except Killed:
                    pass
                nursery.cancel_scope.cancel()

    def _next_disk(self, ending: Ending) -> MortalDisk:
        if ending.killed and ending.command.power:
            self.disk.after_power_failure(self.rng)
        self.disk.close()
        return MortalDisk(deepcopy(self.disk.platters))

    def _must_refuse(self, command: Command) -> bool:
        return must_refuse(
            whole_records(self.disk, OUTPUT),
            self.jobs.ids(),
            self.recipes,
            command.temperature,
            command.options,
        )

    def _lines(self) -> dict[str, set[bytes]]:
        paths = (OUTPUT, ERRORS, RESCUE_FILE)
        return {path.name: {each.line for each in whole_records(self.disk, path)} for path in paths}

    def _trace(self, ending: Ending, server: Simulator) -> None:
        received = [(each.time, each.body, each.status, each.fault) for each in server.log.records]
        content = {path.name: file.cached for path, file in sorted(self.disk.platters.files.items())}
        content = {name: data for name, data in content.items() if not name.endswith(".headrace")}
        outcome = ending.summary or ending.refused or "killed"
        self.trace.append(f"{ending.command}\n{outcome}\n{received}\n{content}")


def _disk_faults(command: Command) -> dict[int, Fault]:
    match command.fate:
        case "kill at a call":
            return {command.call: Killed(command.taken)}
        case "full disk":
            later = range(command.call + 1, command.call + 1 + 5 * (command.taken + 1))
            return {command.call: command.taken, **dict.fromkeys(later, disk_full())}
        case "failing disk":
            return dict.fromkeys(range(command.call, command.call + 1_000), io_error())
        case _:
            return {}


def _stops(command: Command) -> list[tuple[float, Stop]]:
    match command.fate:
        case "interrupt":
            return [(command.at, Stop(INTERRUPT))]
        case "terminate twice":
            return [(command.at, Stop(TERMINATE)), (command.at + 0.02, Stop(TERMINATE, at_once=True))]
        case _:
            return []


async def _kill(disk: MortalDisk, process: trio.CancelScope, at: float) -> None:
    await trio.sleep(at)
    disk.dead = True
    process.cancel()
