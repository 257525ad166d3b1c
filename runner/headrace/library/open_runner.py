"""`open_runner`, and the `Runner` that it gives: the same under trio and asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any, TypeVar, overload

import anyio
import attrs
from sniffio import current_async_library

from headrace.actors.attempts import Attempt
from headrace.actors.statistics import Snapshot
from headrace.library._bridges import Bridge, DirectBridge
from headrace.library._exception_groups import ungrouped
from headrace.library._session import CLOSED, Session
from headrace.library._settings import DialectName, SessionSettings, line_of, settings_from
from headrace.library._submissions import JobGroup, Submission
from headrace.library.results import Jobs, Params, Results
from headrace.library.values import Job, Result
from headrace.pacing import StatedLimits
from headrace.run.options import Concurrency, Durability, OnChange, RetryFailed
from headrace.simulator import Simulator
from headrace_client import AsyncAPIClient

ContextT = TypeVar("ContextT")


def open_runner(
    client: AsyncAPIClient | None = None,
    *,
    limits: StatedLimits | None = None,
    concurrency: Concurrency = "auto",
    output: str | os.PathLike[str] | None = None,
    dialect: DialectName = "anthropic",
    model: str | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
    headers: Mapping[str, str] = {},
    no_auth: bool = False,
    insecure_http: bool = False,
    simulate: bool | Simulator = False,
    max_attempts: int = 5,
    timeout: float = 600.0,
    idle_timeout: float = 120.0,
    max_wait: float = 600.0,
    on_change: OnChange = "refuse",
    retry_failed: RetryFailed = "transient",
    durability: Durability = "flush",
    on_attempt: Callable[[Attempt], object] | None = None,
) -> AbstractAsyncContextManager[Runner]:
    """Give a `Runner` for the length of an ``async with`` block, under trio or asyncio.

    ``client``: whose server, key and headers to use; without one they are given here or taken from the
    environment (``ANTHROPIC_API_KEY``). ``dialect``: which API's bodies the jobs have. ``model``: for all
    jobs, whatever they say. ``limits``: beside those that the server tells. ``concurrency``: jobs in flight
    at most, or "auto".

    ``output``: a file that gets a record of each result before it is handed out; jobs that have one are not
    sent again but come back from it. ``on_change``, ``retry_failed`` and ``durability`` are those of
    ``headrace run``: with "fsync" no result is handed out that a power failure could undo.

    ``simulate``: no network, no cost; True for a simulator as it comes. ``max_attempts`` a job, 429 and 529
    not counted. Times in seconds: ``timeout`` of an attempt, ``idle_timeout`` of silence in it, ``max_wait``
    of nothing but 429 and 529 until all that is open is given up.

    ``on_attempt`` is called on the caller's event loop after each attempt; what it raises ends the block.

    Raises `RunRefused` for settings that do not fit together and `StorageFailed` for an output that cannot
    be used. Leaving the block cuts off what is in flight.
    """
    return _open_runner(
        settings_from(
            client=client,
            limits=limits,
            concurrency=concurrency,
            output=output,
            dialect=dialect,
            model=model,
            base_url=base_url,
            api_key=api_key,
            headers=headers,
            no_auth=no_auth,
            insecure_http=insecure_http,
            simulate=simulate,
            max_attempts=max_attempts,
            timeout=timeout,
            idle_timeout=idle_timeout,
            max_wait=max_wait,
            on_change=on_change,
            retry_failed=retry_failed,
            durability=durability,
            on_attempt=on_attempt,
        )
    )


@asynccontextmanager
async def _open_runner(settings: SessionSettings) -> AsyncGenerator[Runner]:
    with ExitStack() as afterwards:
        async with _open_session(settings) as (session, bridge):
            afterwards.callback(session.stop, CLOSED)  # tells those who wait in other tasks
            yield Runner(session, bridge, settings)


@asynccontextmanager
async def _open_session(settings: SessionSettings) -> AsyncGenerator[tuple[Session, Bridge]]:
    if current_async_library() == "trio":
        from headrace.library._engine import open_session

        bridge = DirectBridge()
        async with open_session(settings, bridge) as session:
            yield session, bridge
    else:
        from headrace.library._asyncio_bridge import open_bridge

        async with open_bridge(settings) as desk_and_bridge:
            yield desk_and_bridge


@attrs.frozen(eq=False)
class Runner:
    """Sends jobs as fast as the server allows, for all who share it. Made by `open_runner`."""

    _desk: Session
    _crossing: Bridge
    _settings: SessionSettings

    @overload
    def map(
        self, jobs: Iterable[Job[ContextT]] | AsyncIterable[Job[ContextT]]
    ) -> AbstractAsyncContextManager[Results[ContextT]]: ...
    @overload
    def map(
        self, jobs: Iterable[Params] | AsyncIterable[Params]
    ) -> AbstractAsyncContextManager[Results[None]]: ...
    def map(self, jobs: Jobs[Any]) -> AbstractAsyncContextManager[Results[Any]]:
        """Give the results of many jobs as they are finished, for the length of an ``async with`` block.

        ``jobs``: any iterable or async iterable of `Job`s or of bodies; it is read as results are read, at
        most a thousand (or twice the concurrency) ahead of them. What it raises comes out of the results,
        after those of the jobs before. Leaving the block cancels what is left.
        """
        return self._map(jobs)

    @asynccontextmanager
    async def _map(self, jobs: Jobs[ContextT]) -> AsyncGenerator[Results[ContextT]]:
        results = Results[ContextT](self._settings.window)
        with ungrouped():
            async with self._group(results) as group, anyio.create_task_group() as tasks:
                tasks.start_soon(results.feed, jobs, self._submitter(group))
                try:
                    yield results
                finally:
                    tasks.cancel_scope.cancel()

    async def call(
        self,
        params: Params,
        *,
        id: str | None = None,  # noqa: A002  (the field's name)
    ) -> Result[None]:
        """Return the result of one job."""
        results = Results[None](1)
        async with self._group(results) as group:
            results.take(Job(params, id), self._submitter(group))
            return await anext(results)

    def statistics(self) -> Snapshot:
        """Return the counts and quantiles since the runner was opened: a value, safe to keep."""
        return self._crossing.call(self._desk.statistics)

    @asynccontextmanager
    async def _group(self, results: Results[Any]) -> AsyncGenerator[JobGroup]:
        """Give the group of a map; afterwards wait until nothing of it is in flight any more."""
        home, idle = self._crossing.to_caller, anyio.Event()
        group = JobGroup(
            deliver=lambda finished: home(results.arrive, finished),
            stopped=lambda reason: home(results.stop, reason),
            idle=lambda: home(_set, idle),
        )
        self._crossing.to_runner(self._desk.enter, group)
        can_wait = True
        try:
            yield group
        except GeneratorExit:  # thrown away, perhaps because its loop was closed
            can_wait = False
            raise
        finally:
            self._crossing.to_runner(self._desk.leave, group)
            if can_wait and results.is_waiting:
                with anyio.CancelScope(shield=True):
                    await idle.wait()

    def _submitter(self, group: JobGroup) -> Callable[[int, Job[Any]], None]:
        away, submit, dialect = self._crossing.to_runner, self._desk.submit, self._settings.dialect.name

        def send(position: int, job: Job[Any]) -> None:
            away(submit, Submission(group, position, job, line_of(job, dialect)))

        return send


def _set(event: anyio.Event) -> None:
    event.set()
