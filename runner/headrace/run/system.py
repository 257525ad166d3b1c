"""What a run touches outside itself: the disk, the network, the clock, the dice, threads."""

from __future__ import annotations

import os
import random
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
import trio

from headrace.input.files import Inputs, open_inputs
from headrace.output.storage import Storage
from headrace.run.options import RunOptions
from headrace_client.lowlevel import Connector, connect_tcp


@attrs.frozen(kw_only=True)
class System:
    """What a run touches outside itself; a test puts its own in the place of each."""

    storage: Storage
    rescue_file: Path
    """Where answers go that the output cannot take."""
    open_inputs: Callable[[RunOptions], Inputs]
    connect: Connector
    wall_clock: Callable[[], float]
    """Seconds since the epoch."""
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    in_thread: Callable[[Callable[[], None]], Awaitable[None]] = trio.to_thread.run_sync
    """Runs what blocks: under virtual time there are no threads."""
    max_connections: int = 8_192
    """What the machine allows: each job in flight has one."""


def real_system(storage: Storage) -> System:
    """Return the network and the clock of this machine. ``storage``: its disk, which the caller closes."""
    return System(
        storage=storage,
        rescue_file=Path(tempfile.gettempdir()) / f"headrace-{os.getpid()}.jsonl",
        open_inputs=lambda options: open_inputs(
            options.inputs, first=options.first, max_line=options.max_line
        ),
        connect=connect_tcp,
        wall_clock=time.time,
        random=random.random,
        max_connections=_connections(),
    )


MAX_DESCRIPTORS = 131_072
"""As much as the largest ``--concurrency`` needs."""
RESERVED_DESCRIPTORS = 64
"""File descriptors for all that is no connection."""


def _connections() -> int:
    """How many connections this process may have at a time."""
    descriptors = _descriptors()
    return max(descriptors - RESERVED_DESCRIPTORS, descriptors // 4)


def _descriptors() -> int:
    """How many files this process may open, asking for all that it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, MAX_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MAX_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
