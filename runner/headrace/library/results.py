"""The caller's end of a map: takes jobs from an iterable as results are read, and never more than a window.

Rules of this file:

1. Runs on the caller's event loop, whichever that is, and in the caller's context.
2. A job is *open* from being taken from the iterable until its result is read. `Results.window` bounds the
   open jobs, so memory is bounded, and whoever reads slowly is sent slowly.
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

NO_USAGE = Usage()

Params = Mapping[str, Any]
Jobs = Iterable[Job[ContextT]] | AsyncIterable[Job[ContextT]] | Iterable[Params] | AsyncIterable[Params]


@attrs.define
class Signal:
    """Wakes all who wait, each time it is given."""

    _event: anyio.Event | None = None

    async def wait(self) -> None:
        """Return when the signal is given next."""
        if self._event is None:
            self._event = anyio.Event()
        await self._event.wait()

    def give(self) -> None:
        """Wake all who wait now."""
        if self._event is not None:
            self._event.set()
            self._event = None


@attrs.define(eq=False)
class Results(AsyncIterator[Result[ContextT]], Generic[ContextT]):
    """The results of one `Runner.map`, each as it is finished: an async iterator."""

    _window: int
    _waiting: dict[int, Job[ContextT]] = attrs.field(factory=dict[int, Job[ContextT]])
    """Jobs that have no result yet, by position."""
    _arrived: deque[Finished | Result[ContextT]] = attrs.field(factory=deque[Finished | Result[ContextT]])
    _taken: int = 0
    _fed: bool = False
    """Nothing more comes from the iterable."""
    _error: Exception | None = None
    """Of the iterable."""
    _stopped: StopReason | None = None
    _news: Signal = attrs.field(factory=Signal)
    _room: Signal = attrs.field(factory=Signal)

    # -- read

    def __aiter__(self) -> Results[ContextT]:
        return self

    async def __anext__(self) -> Result[ContextT]:
        while not self._arrived:
            if self._fed and not self._waiting:
                self._finish()
            await self._news.wait()
        arrived = self._arrived.popleft()
        if self.open == self._window * 3 // 4:  # not at each result: waking the feeder costs 10 us
            self._room.give()
        return arrived if isinstance(arrived, Result) else result_of(arrived)

    def _finish(self) -> None:
        if self._error is None:
            raise StopAsyncIteration
        error, self._error = self._error, None
        raise error

    @property
    def open(self) -> int:
        """How many jobs have been taken whose results have not been read."""
        return len(self._waiting) + len(self._arrived)

    @property
    def is_waiting(self) -> bool:
        """Whether a job has no result yet."""
        return bool(self._waiting)

    # -- fed

    async def feed(self, jobs: Jobs[ContextT], submit: Callable[[int, Job[ContextT]], None]) -> None:
        """Take jobs while there is room. What the iterable raises comes out where results are read."""
        try:
            async with aclosing(_each(jobs)) as each_job:
                async for job in each_job:
                    self.take(job, submit)
                    while self.open >= self._window:
                        await self._room.wait()
        except Exception as error:  # noqa: BLE001  (not ours to judge: the reader gets it)
            self._error = error
        finally:
            self._fed = True
            self._news.give()

    def take(self, job: Job[ContextT] | Params, submit: Callable[[int, Job[ContextT]], None]) -> None:
        """Open one job, and send it unless everything was stopped."""
        job = job if isinstance(job, Job) else cast("Job[ContextT]", Job(job))
        position, self._taken = self._taken, self._taken + 1
        if self._stopped is None:
            submit(position, job)  # raises for what is no JSON
            self._waiting[position] = job
        else:
            self._arrive(_stopped(position, job, self._stopped))

    def end(self) -> None:
        """Say that no more jobs are taken."""
        self._fed = True

    # -- told by the runner, on the caller's loop

    def arrive(self, finished: Finished) -> None:
        """Take a result in."""
        submission = finished.recipient
        if isinstance(submission, Submission) and self._waiting.pop(submission.position, None) is not None:
            self._arrive(finished)

    def stop(self, reason: StopReason) -> None:
        """Give an error to all jobs that have no result, and to those that are still to come."""
        self._stopped = reason
        while self._waiting:
            self._arrive(_stopped(*self._waiting.popitem(), reason))

    def _arrive(self, arrived: Finished | Result[ContextT]) -> None:
        self._arrived.append(arrived)
        self._news.give()


async def _each(jobs: Jobs[ContextT]) -> AsyncGenerator[Job[ContextT] | Params]:
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
    """Return what the caller sees of a finished job."""
    submission, note, success, failure = finished.recipient, finished.note, finished.success, finished.failure
    if not isinstance(submission, Submission) or note is None:
        raise TypeError("nobody waits for the record of a file's line")
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
        usage=success.usage if success is not None else NO_USAGE,
        request_id=note.request_id,
        recorded=not finished.record,
    )


def _stopped(position: int, job: Job[ContextT], reason: StopReason) -> Result[ContextT]:
    failure = Failure(kind="rejected", message=reason.message, sent=False)
    return Result(job=job, position=position, error=JobFailed(failure, stopped=True))
