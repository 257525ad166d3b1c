"""The supervisor: opens the nursery, wires the actors, and collects what they return.

source -> reader -> dispatcher -> (jobs) -> workers -> sender -> API
            ^        ^  ^   |                  |
          demand     |  |   '---> (results) <--'
                     |  '-- failed attempts ---'
                     |              v
                     '- written -- writer -> (events) -> monitor -> show

With ``--durability fsync`` the flusher stands between the writer and the monitor.
"""

from __future__ import annotations

import gc
import math
from collections.abc import AsyncIterable, Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import attrs
import trio

from headrace.actors import dispatcher as dispatching
from headrace.actors import worker as working
from headrace.actors.channels import queued
from headrace.actors.flusher import flusher
from headrace.actors.messages import Event, Finished, Inbox, Interrupted, Pending, Stop
from headrace.actors.monitor import RunCounts, monitor
from headrace.actors.reader import Source, reader
from headrace.actors.rules import Rules
from headrace.actors.statistics import Snapshot
from headrace.actors.writer import TakesRecords, writer
from headrace.policy.stop import StopReason

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Setup(Generic[T]):
    """Everything a run needs. T is what its source yields: lines, or submissions."""

    source: Source[T]
    item_of: Callable[[T, float], Pending | Finished | None]
    """See `reader`."""
    settings: working.AttemptSettings
    rules: Rules
    output: TakesRecords
    sync: Callable[[], Awaitable[None]] | None = None
    """Flushes to the disk; jobs count as done afterwards. None: they do as soon as they are written."""
    stops: AsyncIterable[Stop]
    """Requests from outside to end early, such as signals."""
    show: Callable[[Snapshot], None] | None = None
    watch: Callable[[Event], None] | None = None
    """Called with each event after it has been counted: records on disk, failed attempts, the load."""
    counts: RunCounts | None = None
    """The counts of an earlier run, to be continued; None: start at zero."""


@attrs.frozen(kw_only=True)
class Outcome:
    """The outcome of a run."""

    snapshot: Snapshot
    reasons: list[StopReason]
    """Why it ended before its input did; empty if it did not."""
    unsaved: list[Finished]
    """Records that could not be written: their answers have been paid for."""


async def supervise(setup: Setup[Any]) -> Outcome:
    """Run all jobs of the source to their records. Raises an `ExceptionGroup` for an internal error."""
    inbox_send, inbox = trio.open_memory_channel[Inbox](math.inf)
    demand_send, demand = trio.open_memory_channel[int](math.inf)
    jobs_send, jobs = trio.open_memory_channel[Pending](math.inf)
    results_send, results = trio.open_memory_channel[Finished](math.inf)
    events_send, events = trio.open_memory_channel[Event](math.inf)
    in_flight = trio.CancelScope()
    counting = _ReturnValue[Snapshot]()
    writing = _ReturnValue[list[Finished]]()
    flushing = _ReturnValue[list[StopReason]]()
    dispatcher_ends = dispatching.DispatcherChannels(
        inbox=inbox,
        demand=demand_send,
        jobs=jobs_send,
        results=results_send.clone(),
        events=events_send.clone(),
    )
    worker_ends = working.WorkerChannels(jobs=jobs, results=results_send, inbox=inbox_send.clone())
    counts = setup.counts or RunCounts(started_at=trio.current_time())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(counting.run, monitor, events, inbox_send.clone(), counts, setup.watch, setup.show)
        if setup.sync is None:
            written_send = events_send
        else:
            written_send, written = trio.open_memory_channel[Event](math.inf)
            nursery.start_soon(flushing.run, flusher, written, inbox_send.clone(), events_send, setup.sync)
        nursery.start_soon(writing.run, writer, results, inbox_send.clone(), written_send, setup.output)
        start_worker = await nursery.start(_work, worker_ends, setup, in_flight)
        async with trio.open_nursery() as feeding:
            feeding.start_soon(reader, setup.source, demand, inbox_send.clone(), setup.item_of)
            feeding.start_soon(_forward, setup.stops, inbox_send)
            reasons = await dispatching.dispatcher(
                dispatcher_ends,
                setup.rules,
                setup.settings.dialect,
                setup.settings.recipe,
                in_flight.cancel,
                start_worker,
            )
            feeding.cancel_scope.cancel()
    late = [] if setup.sync is None else [reason for reason in flushing.value if reason not in reasons]
    return Outcome(snapshot=counting.value, reasons=reasons + late, unsaved=writing.value)


async def _work(
    ends: working.WorkerChannels,
    setup: Setup[Any],
    in_flight: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[Callable[[], None]],
) -> None:
    """Run the workers until there are no more jobs, or ``in_flight`` is cancelled.

    There is one at first; `nursery.start` returns a function that starts another one.
    """
    with ends.jobs, ends.results, ends.inbox:
        with in_flight:
            async with trio.open_nursery() as nursery:

                def start_worker() -> None:
                    nursery.start_soon(working.worker, ends.clone(), setup.settings)

                start_worker()
                task_status.started(start_worker)
        for pending in queued(ends.jobs):
            ends.inbox.send_nowait(Interrupted(pending, sent=False))


async def _forward(stops: AsyncIterable[Stop], inbox: trio.MemorySendChannel[Inbox]) -> None:
    with inbox, suppress(trio.BrokenResourceError):  # the dispatcher has ended at the same moment
        async for stop in stops:
            inbox.send_nowait(stop)


@attrs.define
class _ReturnValue(Generic[T]):
    """Keeps what an actor returns, which a nursery would discard."""

    value: T = attrs.field(init=False)

    async def run(self, actor: Callable[..., Awaitable[T]], *args: object) -> None:
        self.value = await actor(*args)


@contextmanager
def relaxed_garbage_collection() -> Generator[None]:
    """Collect garbage less often: with 5000 jobs in flight the default adds half to the CPU time per job."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
