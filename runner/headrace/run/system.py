"""What a run touches outside itself: the disk, the network, the clock, randomness, threads."""

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
from headrace.policy.options import InputOptions
from headrace_client.lowlevel import Connector, connect_tcp


@attrs.frozen(kw_only=True)
class System:
    """What a run touches outside itself. A test replaces every part of it."""

    storage: Storage
    rescue_file: Path
    """Takes the answers that cannot be written to the output."""
    open_inputs: Callable[[InputOptions], Inputs]
    connect: Connector
    wall_clock: Callable[[], float]
    """Seconds since the epoch."""
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    in_thread: Callable[[Callable[[], None]], Awaitable[None]] = trio.to_thread.run_sync
    """Runs a blocking call. Under virtual time there are no threads."""
    max_connections: int = 8_192
    """How many connections the machine allows: each job in flight needs one."""


def real_system(storage: Storage) -> System:
    """Return this machine. ``storage``: its disk, which the caller closes."""
    return System(
        storage=storage,
        rescue_file=Path(tempfile.gettempdir()) / f"headrace-{os.getpid()}.jsonl",
        open_inputs=lambda options: open_inputs(
            options.files, first=options.first, max_line=options.max_line
        ),
        connect=connect_tcp,
        wall_clock=time.time,
        random=random.random,
        max_connections=_max_connections(),
    )


MAX_DESCRIPTORS = 131_072
"""Enough for the highest ``--concurrency``."""
RESERVED_DESCRIPTORS = 64
"""File descriptors for everything that is not a connection."""


def _max_connections() -> int:
    """Return how many connections this process may have at a time."""
    descriptors = _raise_descriptor_limit()
    return max(descriptors - RESERVED_DESCRIPTORS, descriptors // 4)


def _raise_descriptor_limit() -> int:
    """Raise the limit of open files as far as the system allows, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, MAX_DESCRIPTORS) if hard != resource.RLIM_INFINITY else MAX_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted
