"""The caller's end of a map: takes jobs from an iterable as results are read, up to a window.

Rules of this file:

1. It runs on the caller's event loop, trio or asyncio, and in the caller's context.
2. A job is *open* from when it is taken from the iterable until its result is read. The window bounds the
   open jobs. So memory is bounded, and a slow reader slows the sending.
3. Each job that was taken has exactly one result.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from contextlib import aclosing
from inspect import isasyncgen
from typing import Any, Generic, TypeVar, cast

import anyio
import attrs

from headrace._exceptions import JobFailed
from headrace.actors.messages import Finished
from headrace.job import Failure, Usage
from headrace.library._submissions import Submission
from headrace.library.values import Job, Result
from headrace.policy.stop import StopReason

ContextT = TypeVar("ContextT")

_NO_USAGE = Usage()

Params = Mapping[str, Any]
Jobs = Iterable[Job[ContextT]] | AsyncIterable[Job[ContextT]] | Iterable[Params] | AsyncIterable[Params]


@attrs.define
class _Condition:
    """Wakes all waiting tasks, as often as needed: an event that resets itself."""

    _event: anyio.Event | None = None

    async def wait(self) -> None:
        """Wait for the next `notify_all`."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()

    def notify_all(self) -> None:
        """Wake the tasks that are waiting now."""
        if self._event is not None:
            self._event.set()
            self._event = None


@attrs.define(eq=False)
class Results(AsyncIterator[Result[ContextT]], Generic[ContextT]):
    """The results of one `Runner.map`, each as soon as it is available: an async iterator."""

    _window: int
    _waiting: dict[int, Job[ContextT]] = attrs.field(factory=dict[int, Job[ContextT]])
    """The jobs without a result, by position."""
    _ready: deque[Finished | Result[ContextT]] = attrs.field(factory=deque[Finished | Result[ContextT]])
    _count: int = 0
    _exhausted: bool = False
    """Whether all jobs have been taken from the iterable."""
    _error: Exception | None = None
    """What the iterable raised."""
    _stopped: StopReason | None = None
    _changed: _Condition = attrs.field(factory=_Condition)
    _has_capacity: _Condition = attrs.field(factory=_Condition)

    # -- results out

    def __aiter__(self) -> Results[ContextT]:
        return self

    async def __anext__(self) -> Result[ContextT]:
        while not self._ready:
            if self._exhausted and not self._waiting:
                self._finish()
            await self._changed.wait()
        arrived = self._ready.popleft()
        if self.open == self._window * 3 // 4:  # not after every result: waking the feeder costs 10 us
            self._has_capacity.notify_all()
        return arrived if isinstance(arrived, Result) else result_of(arrived)

    def _finish(self) -> None:
        if self._error is None:
            raise StopAsyncIteration
        error, self._error = self._error, None
        raise error

    @property
    def open(self) -> int:
        """The number of jobs that have been taken and whose results have not been read."""
        return len(self._waiting) + len(self._ready)

    @property
    def is_waiting(self) -> bool:
        """Whether a job has no result yet."""
        return bool(self._waiting)

    # -- jobs in

    async def feed(self, jobs: Jobs[ContextT], send: Callable[[int, Job[ContextT]], None]) -> None:
        """Take jobs while the window has capacity. What the iterable raises is raised from `__anext__`."""
        try:
            async with aclosing(_iterate(jobs)) as each_job:
                async for job in each_job:
                    self.submit(job, send)
                    while self.open >= self._window:
                        await self._has_capacity.wait()
        except Exception as error:  # noqa: BLE001  (raised again where results are read)
            self._error = error
        finally:
            self._exhausted = True
            self._changed.notify_all()

    def submit(self, job: Job[ContextT] | Params, send: Callable[[int, Job[ContextT]], None]) -> None:
        """Open one job, and send it unless the runner has stopped."""
        job = job if isinstance(job, Job) else cast("Job[ContextT]", Job(job))
        position, self._count = self._count, self._count + 1
        if self._stopped is None:
            send(position, job)  # first: should it raise, no result will come
            self._waiting[position] = job
        else:
            self._append(_stopped(position, job, self._stopped))

    # -- called by the runner, on the caller's loop

    def add(self, finished: Finished) -> None:
        """Add a result, unless its job already has one."""
        submission = finished.recipient
        if isinstance(submission, Submission) and self._waiting.pop(submission.position, None) is not None:
            self._append(finished)

    def stop(self, reason: StopReason) -> None:
        """Give an error to all jobs without a result, and to all later ones."""
        self._stopped = reason
        while self._waiting:
            self._append(_stopped(*self._waiting.popitem(), reason))

    def _append(self, arrived: Finished | Result[ContextT]) -> None:
        self._ready.append(arrived)
        self._changed.notify_all()


async def _iterate(jobs: Jobs[ContextT]) -> AsyncGenerator[Job[ContextT] | Params]:
    if not isinstance(jobs, AsyncIterable):
        for job in jobs:
            yield job
    elif isasyncgen(jobs):
        async with aclosing(jobs):
            async for job in jobs:
                yield job
    else:
        async for job in jobs:
            yield job


def result_of(finished: Finished) -> Result[Any]:
    """Return the result of a finished job, as the caller gets it."""
    submission, note, success, failure = finished.recipient, finished.note, finished.success, finished.failure
    if not isinstance(submission, Submission):
        raise TypeError("this record belongs to a line of a file, not to a submission")
    return Result(
        job=submission.job,
        position=submission.position,
        body=success and success.message,
        error=failure and JobFailed(failure),
        attempts=note.attempts,
        maybe_billed=note.maybe_billed,
        maybe_billed_tokens=note.maybe_billed_tokens or (0, 0),
        latency=note.latency_s,
        ttft=note.ttft_s,
        usage=success.usage if success is not None else _NO_USAGE,
        request_id=note.request_id,
        recorded=not finished.record,
    )


def _stopped(position: int, job: Job[ContextT], reason: StopReason) -> Result[ContextT]:
    failure = Failure(kind="rejected", message=reason.message, sent=False)
    return Result(job=job, position=position, error=JobFailed(failure, stopped=True))
