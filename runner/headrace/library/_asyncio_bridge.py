"""The library on asyncio (uvloop included): the runner works on trio, in its own thread.

Calls cross the bridge in batches: at once if none has crossed in the last 5 ms, otherwise when the 5 ms are
over. That costs a few microseconds per job, where a wake-up for each call would cost 27. What belongs to the
caller (iterables, callbacks, results) stays on the caller's loop. Sending and writing stay on trio.

Rules of this file:

1. Only the trio thread uses `_calls_to_caller`, and only the loop's thread uses `_calls_to_runner`, until the
   loop sets `_ended`. From then on there is only one thread, and every call is made directly.
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
_Calls = list[tuple[Callable[[Any], object], Any]]

_INTERVAL: Final = 0.005
"""Seconds between two batches under load."""

_POLL_INTERVAL: Final = 0.5
"""Seconds between two checks whether the loop has been closed."""

_log = logging.getLogger("headrace")


@asynccontextmanager
async def open_bridge(settings: SessionSettings) -> AsyncGenerator[tuple[Session, AsyncioBridge]]:
    """Open a runner in a trio thread. Yields its session, and the bridge to it.

    Leaving the block ends the thread: requests in flight are cut off, finished results are written first.
    """
    bridge = AsyncioBridge(_settings_for_thread(settings), asyncio.get_running_loop())
    with ungrouped():
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(bridge.run_thread)
            try:
                yield await bridge.wait_opened(), bridge
            finally:
                bridge.close()  # also if this task is cancelled while the session opens


def _settings_for_thread(settings: SessionSettings) -> SessionSettings:
    """Replace the client by its headers: the client itself belongs to the caller's loop."""
    client = settings.client
    if client is None:
        return settings
    if client.uses_given_http_client:
        raise RunRefused(
            "the http_client of this client belongs to asyncio's loop, but the runner sends from a trio"
            " thread: pass open_runner a client without an http_client, or base_url and api_key"
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
        self._closed: asyncio.Future[None] = loop.create_future()
        self._ended = False
        self._close_requested = False
        self._failure: BaseException | None = None
        self._calls_to_runner: _Calls = []
        self._last_sent_at = -math.inf
        self._calls_to_caller: _Calls = []
        self._has_calls = trio.Event()
        self._closing = trio.Event()
        self._inbox_send, self._inbox_receive = trio.open_memory_channel[_Calls](math.inf)
        self._token: trio.lowlevel.TrioToken | None = None

    # -- on the caller's loop

    async def run_thread(self) -> None:
        """Run the thread until it ends. Raises its error, unless `wait_opened` does."""
        thread = threading.Thread(target=self._run, name="headrace", daemon=True)
        thread.start()
        with anyio.CancelScope(shield=True):
            try:
                await asyncio.wait([self._opened])
                if self._opened.exception() is None:
                    if self._close_requested:
                        self.close()
                    await self._closed
            finally:
                thread.join()  # it has nothing left to do, so this does not block

    async def wait_opened(self) -> Session:
        """Wait for the session. Raises the error if it could not be opened."""
        return await asyncio.shield(self._opened)

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        """Call on trio, soon. See `Bridge`."""
        if self._ended:
            function(argument)
            return
        if self._loop.is_closed():
            return  # a coroutine that is closed with its loop; `_abandon` cancels what it has in flight
        self._calls_to_runner.append((function, argument))
        if len(self._calls_to_runner) == 1:
            wait = self._last_sent_at + _INTERVAL - self._loop.time()
            if wait > 0:
                self._loop.call_later(wait, self._flush_to_runner)
            else:
                self._loop.call_soon(self._flush_to_runner)

    def _flush_to_runner(self) -> None:
        calls, self._calls_to_runner = self._calls_to_runner, []
        self._last_sent_at = self._loop.time()
        if self._ended or not self._to_trio(self._inbox_send.send_nowait, calls):
            _run_calls(calls)

    def call(self, function: Callable[[], T]) -> T:
        """Call on trio, and wait for the result. See `Bridge`."""
        if self._ended:
            return function()
        try:
            return trio.from_thread.run_sync(function, trio_token=self._token)
        except trio.RunFinishedError:
            return function()

    def close(self) -> None:
        """Let the thread end. If it has no session yet, `run_thread` repeats this."""
        self._close_requested = True
        self._to_trio(self._closing.set)

    def _to_trio(self, function: Callable[..., object], *arguments: object) -> bool:
        if self._token is not None:
            try:
                self._token.run_sync_soon(function, *arguments)
            except trio.RunFinishedError:
                self._ended = True
        return not self._ended

    def _run_on_loop(self, calls: _Calls) -> None:
        try:
            _run_calls(calls)
        except BaseException as error:  # noqa: BLE001  (raised again where the runner is open)
            self._failure = self._failure or error
            self.close()

    def _finish(self, error: BaseException | None, calls: _Calls) -> None:
        """Record how the thread ended, and make its last calls."""
        self._ended = True
        self._run_on_loop(calls)
        error = self._failure or error
        for future in (self._opened, self._closed):
            if not future.done() and error is not None:
                future.set_exception(error)
                break
        else:
            if not self._closed.done():
                self._closed.set_result(None)

    # -- in the trio thread

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the caller's loop, soon. See `Bridge`."""
        if self._ended:
            function(argument)
            return
        self._calls_to_caller.append((function, argument))
        self._has_calls.set()

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            trio.run(self._main)
        except BaseException as caught:  # noqa: BLE001  (raised again on the caller's loop)
            error = caught
        self._to_loop(self._finish, error, self._calls_to_caller)

    async def _main(self) -> None:
        with ungrouped(deep=True):
            async with trio.open_nursery() as nursery:
                self._token = trio.lowlevel.current_trio_token()
                nursery.start_soon(self._flush_to_caller)
                nursery.start_soon(self._run_on_trio)
                nursery.start_soon(self._watch_loop)
                async with open_session(self._settings, self) as session:
                    self._to_loop(self._opened.set_result, session)
                    await self._closing.wait()
                nursery.cancel_scope.cancel()

    async def _flush_to_caller(self) -> None:
        while True:
            await self._has_calls.wait()
            self._has_calls = trio.Event()
            calls, self._calls_to_caller = self._calls_to_caller, []
            self._to_loop(self._run_on_loop, calls)
            await trio.sleep(_INTERVAL)

    async def _run_on_trio(self) -> None:
        async for calls in self._inbox_receive:
            _run_calls(calls)

    async def _watch_loop(self) -> None:
        """Detect a closed loop even if no call is left for it: otherwise the thread would not end."""
        while not self._loop.is_closed():  # noqa: ASYNC110  (a loop has no event for this)
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
                "the event loop was closed while a runner was open: results are lost. "
                "Leave the open_runner block before you close the loop."
            )
            self._closing.set()


def _run_calls(calls: _Calls) -> None:
    for function, argument in calls:
        function(argument)
