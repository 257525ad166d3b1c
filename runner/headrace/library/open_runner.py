"""`open_runner`, and the `Runner` that it opens: the same under trio and asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from typing import Any, TypeVar, Unpack, overload

import anyio
import attrs
from sniffio import current_async_library

from headrace.actors.statistics import Snapshot
from headrace.library._bridges import Bridge, DirectBridge
from headrace.library._exception_groups import ungrouped
from headrace.library._session import CLOSED, Session
from headrace.library._settings import RunnerOptions, SessionSettings, settings_from
from headrace.library._submissions import JobGroup, Submission
from headrace.library.results import Jobs, Params, Results
from headrace.library.values import Job, Result
from headrace.policy.options import Concurrency
from headrace_client import AsyncAPIClient

ContextT = TypeVar("ContextT")


def open_runner(
    client: AsyncAPIClient | None = None,
    *,
    concurrency: Concurrency = "auto",
    **settings: Unpack[RunnerOptions],
) -> AbstractAsyncContextManager[Runner]:
    """Open a `Runner` for an ``async with`` block, under trio or asyncio.

    ``client``: provides the server, the API key and the headers. Without one, pass ``base_url``, ``api_key``
    and ``headers``, or set ``ANTHROPIC_API_KEY`` (``OPENAI_API_KEY``) in the environment; ``no_auth`` sends
    no key, ``insecure_http`` allows one to cross the network in plain text. ``dialect``: the API of the jobs,
    "anthropic" (default) or "openai". ``model``: replaces the model of every job.

    ``concurrency``: the most jobs in flight; "auto" finds as many as the limits can use. ``limits``: your own
    limits, in addition to those of the server.

    ``output``: a file that gets a record of each result before you do. Jobs that have a record are not sent
    again; their results come from the file. ``on_change``, ``retry_failed`` and ``durability`` work as in
    ``headrace run``: with "fsync" you get no result that a power failure could undo.

    ``simulate``: no network and no cost; True, or a simulator of your own.

    ``max_attempts``: attempts per job, 5 by default; those that end with 429 or 529 do not count. In seconds:
    ``timeout`` for an attempt (600), ``idle_timeout`` for an attempt without data (120), and ``max_wait`` for
    nothing but 429 and 529 until all open jobs fail (600).

    ``on_attempt``: called on your event loop after each attempt; an exception that it raises ends the block.

    Raises `RunRefused` for settings that cannot be used, `TypeError` for an unknown one, and `StorageFailed`
    for an output that cannot be used. Leaving the block aborts what is in flight.
    """
    return _open_runner(settings_from(client, concurrency, settings))


@asynccontextmanager
async def _open_runner(settings: SessionSettings) -> AsyncGenerator[Runner]:
    with ExitStack() as after_close:
        async with _open_session(settings) as (session, bridge):
            after_close.callback(session.stop, CLOSED)  # for tasks that still wait for results
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

        async with open_bridge(settings) as session_and_bridge:
            yield session_and_bridge


@attrs.frozen(eq=False)
class Runner:
    """Sends jobs as fast as the server allows. Tasks can share it. `open_runner` makes one."""

    _session: Session
    _bridge: Bridge
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
        """Run many jobs, and give their results as they become available, in an ``async with`` block.

        ``jobs``: any iterable or async iterable of `Job`s or of request bodies. It is read as you read
        results, at most a thousand jobs (or twice the concurrency) ahead of them. What it raises is raised
        where you read results, after the results of the jobs before. A job that cannot be encoded has an
        error as its result. Leaving the block cancels the remaining jobs.
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
        """Run one job and return its result."""
        results = Results[None](1)
        async with self._group(results) as group:
            results.submit(Job(params, id), self._submitter(group))
            return await anext(results)

    def statistics(self) -> Snapshot:
        """Return the counts and quantiles since the runner was opened, as an immutable snapshot."""
        return self._bridge.call(self._session.statistics)

    @asynccontextmanager
    async def _group(self, results: Results[Any]) -> AsyncGenerator[JobGroup]:
        """Register a group for the jobs of a map. Afterwards wait until none of them is in flight."""
        to_caller, idle = self._bridge.to_caller, anyio.Event()
        group = JobGroup(
            deliver=lambda finished: to_caller(results.add, finished),
            stopped=lambda reason: to_caller(results.stop, reason),
            idle=lambda: to_caller(_set, idle),
        )
        self._bridge.to_runner(self._session.add_group, group)
        can_wait = True
        try:
            yield group
        except GeneratorExit:  # the coroutine is closed, perhaps with its loop
            can_wait = False
            raise
        finally:
            self._bridge.to_runner(self._session.withdraw_group, group)
            if can_wait and results.is_waiting:
                with anyio.CancelScope(shield=True):
                    await idle.wait()

    def _submitter(self, group: JobGroup) -> Callable[[int, Job[Any]], None]:
        to_runner, submit = self._bridge.to_runner, self._session.submit
        dialect = self._settings.dialect.lines.name

        def send(position: int, job: Job[Any]) -> None:
            to_runner(submit, Submission.of(group, position, job, dialect))

        return send


def _set(event: anyio.Event) -> None:
    event.set()
