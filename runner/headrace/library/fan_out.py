"""Many jobs in one call, for notebooks and scripts."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterable, Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar, Unpack, overload

import trio

from headrace.library._exception_groups import ungrouped
from headrace.library._progress import progress_bar
from headrace.library._settings import FanOutOptions
from headrace.library._trio_thread import run_on_trio_thread
from headrace.library.open_runner import open_runner
from headrace.library.results import Jobs, Params
from headrace.library.values import Job, Result
from headrace.policy.options import Concurrency

ContextT = TypeVar("ContextT")


@overload
async def fan_out(
    jobs: Iterable[Job[ContextT]] | AsyncIterable[Job[ContextT]],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[ContextT]]: ...
@overload
async def fan_out(
    jobs: Iterable[Params] | AsyncIterable[Params],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[None]]: ...
async def fan_out(
    jobs: Jobs[Any],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[Any]]:
    """Run all jobs and return their results, in the order of the jobs. Under trio or asyncio.

    ``progress``: show a progress bar, in a notebook or on standard error. The settings are those of
    `open_runner`. A failed job has a result, too: see `Result.error`.

    What the iterable raises is raised here, after the results of the jobs before it. Like any other exception
    that ends the call, it has those results in an attribute ``results``, in the order of the jobs.
    """
    finished: list[Result[Any]] = []
    try:
        async with open_runner(concurrency=concurrency, **settings) as runner, runner.map(jobs) as results:
            with progress_bar(jobs, shown=progress) as advance:
                async for result in results:
                    finished.append(result)
                    advance(result)
    except Exception as error:
        _attach(error, _in_order(finished))
        raise
    return _in_order(finished)


def _in_order(results: list[Result[Any]]) -> list[Result[Any]]:
    return sorted(results, key=lambda result: result.position)


def _attach(error: Exception, results: list[Result[Any]]) -> None:
    """Keep results, which may have been paid for, with the exception that ends the call."""
    if results:
        with suppress(AttributeError):  # a class with slots of its own
            error.results = results  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]  # documented
            error.add_note(f"headrace: the {len(results):,} results so far are in this exception's .results")


@overload
def fan_out_sync(
    jobs: Iterable[Job[ContextT]],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[ContextT]]: ...
@overload
def fan_out_sync(
    jobs: Iterable[Params],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[None]]: ...
def fan_out_sync(
    jobs: Iterable[Job[Any]] | Iterable[Params],
    *,
    concurrency: Concurrency = 64,
    progress: bool = False,
    **settings: Unpack[FanOutOptions],
) -> list[Result[Any]]:
    """Do what `fan_out` does, for programs without an event loop.

    If a loop is running already, as in a notebook, it runs in a thread, blocks that loop, and warns about it.
    """
    work = partial(fan_out, jobs, concurrency=concurrency, progress=progress, **settings)
    if _loop_is_running():
        warnings.warn(
            "fan_out_sync blocks the running event loop: use 'await headrace.fan_out(...)' instead",
            stacklevel=2,
        )
        return run_on_trio_thread(work)
    with ungrouped(deep=True):
        return trio.run(work)


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return trio.lowlevel.in_trio_run()
    return True
