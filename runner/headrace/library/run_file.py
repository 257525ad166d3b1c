"""`run_file`: the command ``headrace run``, for programs."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Unpack

from sniffio import current_async_library

from headrace.actors.statistics import Snapshot
from headrace.library._exception_groups import ungrouped
from headrace.library._settings import RunFileOptions
from headrace.library._trio_thread import await_on_trio_thread
from headrace.output.storage import DiskStorage
from headrace.policy.options import RunOptions, refuse_unknown
from headrace.run.assembly import no_stops
from headrace.run.execution import execute
from headrace.run.summary import Summary
from headrace.run.system import real_system

_log = logging.getLogger("headrace")


async def run_file(*inputs: str | bytes | os.PathLike[str], **options: Unpack[RunFileOptions]) -> Summary:
    """Run job files and write a record of each job, as ``headrace run`` does. Works under trio and asyncio.

    The options and their defaults are those of the command; see `headrace.policy.options`. The API key and
    the base URL are looked up in ``environ``, by default `os.environ`. Cancelling the call aborts what is in
    flight; calling it again resumes where it stopped.

    Raises `RunRefused` or `StorageFailed` before anything is sent, and `TypeError` for an unknown option.
    Everything that goes wrong later is in the summary.
    """
    refuse_unknown("run_file", options, RunFileOptions.__annotations__)
    files = [os.fsdecode(name) for name in inputs]
    work = partial(_run, RunOptions.of(*files, **{"environ": os.environ, **options}))
    if current_async_library() == "trio":
        return await work()
    return await await_on_trio_thread(work)


async def _run(options: RunOptions) -> Summary:
    with ungrouped(deep=True), DiskStorage() as storage:
        return await execute(
            options,
            system=real_system(storage),
            stops=no_stops,
            display=_hidden,
            notify=_log.info,
        )


@contextmanager
def _hidden(_to_send: int | None) -> Generator[Callable[[Snapshot], None]]:
    yield lambda _: None
