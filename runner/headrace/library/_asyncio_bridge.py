"""The library on asyncio (uvloop included): the runner works on trio, in a thread of its own.

Calls cross in batches: at once when nothing has crossed for 5 ms, else when the 5 ms are over. That costs
a few microseconds a job, where a wake-up for each would cost 27. What belongs to the caller (iterables,
callbacks, results) stays on the caller's loop; what is sent and written stays on trio's.

Rules of this file: `_homebound` is touched by the trio thread only, `_outbound` by the loop's only, until
`_ended` is set on the loop: then there is one thread left, and all calls are made at once.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
import threading
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import anyio
import attrs
import trio

from headrace._exceptions import RunRefused
from headrace.library._engine import open_session
from headrace.library._exception_groups import ungrouped
from headrace.library._session import Session
from headrace.library._settings import SessionSettings

T = TypeVar("T")
Calls = list[tuple[Callable[[Any], object], Any]]

INTERVAL: Final = 0.005
"""Seconds between two crossings under load."""

_POLL_INTERVAL: Final = 0.5
"""Seconds between two looks at whether the loop is still there."""

_log = logging.getLogger("headrace")


@asynccontextmanager
async def open_bridge(settings: SessionSettings) -> AsyncGenerator[tuple[Session, AsyncioBridge]]:
    """Give the session of a new runner in a trio thread, and the way there.

    Leaving the block ends the thread: what is in flight is cut off, what is finished is written first.
    """
    bridge = AsyncioBridge(_settings_for_thread(settings), asyncio.get_running_loop())
    with ungrouped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bridge.host)
            try:
                yield await bridge.opened(), bridge
            finally:
                bridge.close()  # whoever is cancelled while it opens has to close it, too


def _settings_for_thread(settings: SessionSettings) -> SessionSettings:
    """Take from a client what is needed: itself it belongs to the caller's loop."""
    client = settings.client
    if client is None:
        return settings
    if client.uses_given_http_client:
        raise RunRefused(
            "this client has an http_client of its own, which belongs to asyncio's loop, while the"
            " runner sends from a trio thread: give open_runner a client without one, or base_url and api_key"
        )
    headers = {**client.default_headers, **settings.endpoint.headers}
    return attrs.evolve(settings, client=None, endpoint=attrs.evolve(settings.endpoint, headers=headers))


class AsyncioBridge:
    """A `Bridge` between an asyncio loop and a trio thread."""

    def __init__(self, settings: SessionSettings, loop: asyncio.AbstractEventLoop) -> None:
        self._settings = settings
        self._loop = loop
        self._context = contextvars.copy_context()
        self._opened: asyncio.Future[Session] = loop.create_future()
        self._over: asyncio.Future[None] = loop.create_future()
        self._ended = False
        self._close_wanted = False
        self._failure: BaseException | None = None
        self._outbound: Calls = []
        self._departed_at = -math.inf
        self._homebound: Calls = []
        self._news = trio.Event()
        self._closing = trio.Event()
        self._landed, self._landing = trio.open_memory_channel[Calls](math.inf)
        self._token: trio.lowlevel.TrioToken | None = None

    # -- on the caller's loop

    async def host(self) -> None:
        """Run the thread until it ends; raise what it ended with, unless it did not even open."""
        thread = threading.Thread(target=self._run, name="headrace", daemon=True)
        thread.start()
        with anyio.CancelScope(shield=True):
            try:
                await asyncio.wait([self._opened])
                if self._opened.exception() is None:
                    if self._close_wanted:
                        self.close()
                    await self._over
            finally:
                thread.join()  # it has nothing left to do

    async def opened(self) -> Session:
        """Wait for the session; raise why there is none."""
        return await asyncio.shield(self._opened)

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        """Call on trio, soon; see `Bridge`."""
        if self._ended:
            function(argument)
            return
        if self._loop.is_closed():
            return  # a call that is thrown away with its loop; `_abandon` ends what it had under way
        self._outbound.append((function, argument))
        if len(self._outbound) == 1:
            wait = self._departed_at + INTERVAL - self._loop.time()
            self._loop.call_later(wait, self._depart) if wait > 0 else self._loop.call_soon(self._depart)

    def _depart(self) -> None:
        calls, self._outbound = self._outbound, []
        self._departed_at = self._loop.time()
        if self._ended or not self._on_trio(self._landed.send_nowait, calls):
            _make(calls)

    def call(self, function: Callable[[], T]) -> T:
        """Call on trio, and wait; see `Bridge`."""
        if self._ended:
            return function()
        try:
            return trio.from_thread.run_sync(function, trio_token=self._token)
        except trio.RunFinishedError:
            return function()

    def close(self) -> None:
        """Let the thread end; if it has not opened the session yet, `host` says it again."""
        self._close_wanted = True
        self._on_trio(self._closing.set)

    def _on_trio(self, function: Callable[..., object], *arguments: object) -> bool:
        if self._token is not None:
            try:
                self._token.run_sync_soon(function, *arguments)
            except trio.RunFinishedError:
                self._ended = True
        return not self._ended

    def _arrive(self, calls: Calls) -> None:
        try:
            _make(calls)
        except BaseException as error:  # noqa: BLE001  (raised again where the runner was opened)
            self._failure = self._failure or error
            self.close()

    def _finish(self, error: BaseException | None, calls: Calls) -> None:
        """Take in what the thread ended with."""
        self._ended = True
        self._arrive(calls)
        error = self._failure or error
        for future in (self._opened, self._over):
            if not future.done() and error is not None:
                future.set_exception(error)
                break
        else:
            if not self._over.done():
                self._over.set_result(None)

    # -- in the trio thread

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the caller's loop, soon; see `Bridge`."""
        if self._ended:
            function(argument)
            return
        self._homebound.append((function, argument))
        self._news.set()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            trio.run(self._main)
        except BaseException as caught:  # noqa: BLE001  (raised again on the caller's loop)
            error = caught
        self._to_loop(self._finish, error, self._homebound)

    async def _main(self) -> None:
        with ungrouped(deep=True):
            async with trio.open_nursery() as nursery:
                self._token = trio.lowlevel.current_trio_token()
                nursery.start_soon(self._carry_home)
                nursery.start_soon(self._take_in)
                nursery.start_soon(self._watch_loop)
                async with open_session(self._settings, self) as session:
                    self._to_loop(self._opened.set_result, session)
                    await self._closing.wait()
                nursery.cancel_scope.cancel()

    async def _carry_home(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            calls, self._homebound = self._homebound, []
            self._to_loop(self._arrive, calls)
            await trio.sleep(INTERVAL)

    async def _take_in(self) -> None:
        async for calls in self._landing:
            _make(calls)

    async def _watch_loop(self) -> None:
        """Notice a closed loop also when nothing is left to carry home: the thread would never end."""
        while not self._loop.is_closed():  # noqa: ASYNC110  (a loop tells nobody that it closes)
            await trio.sleep(_POLL_INTERVAL)
        self._abandon()

    def _to_loop(self, function: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(function, *arguments, context=self._context)
        except RuntimeError:  # the loop is closed
            self._abandon()

    def _abandon(self) -> None:
        if not self._closing.is_set():
            _log.error(
                "the event loop was closed while a runner was open: results are lost; "
                "leave the block of open_runner first"
            )
            self._closing.set()


def _make(calls: Calls) -> None:
    for function, argument in calls:
        function(argument)
