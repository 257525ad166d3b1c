"""Run one piece of work on trio in a thread, for callers that already have an event loop.

This is not anyio's blocking portal, because that refuses calls from a thread in which trio runs, where
`fan_out_sync` must work, too. Leaving a portal would also block asyncio's loop during the clean-up.
"""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

import anyio
import trio

from headrace.library._exception_groups import ungrouped

T = TypeVar("T")


def run_on_trio_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Run the work in a thread and block until it ends. Ctrl-C cancels it and raises `KeyboardInterrupt`."""
    with _trio_thread(work) as thread, _interruptible():
        return thread.ended.result()


async def await_on_trio_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Run the work in a thread while asyncio's loop keeps running. Cancelling waits for the clean-up."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nothing waits
            loop.call_soon_threadsafe(ended.set)

    with _trio_thread(work) as thread:
        thread.ended.add_done_callback(wake)
        try:
            await ended.wait()
        except asyncio.CancelledError:
            thread.cancel()
            with anyio.CancelScope(shield=True):
                await ended.wait()  # leaving the block would wait for it, too, but block the loop
            raise
        return thread.ended.result()


@contextmanager
def _trio_thread(work: Callable[[], Awaitable[T]]) -> Generator[_TrioThread[T]]:
    """Start the work in a thread, in the caller's context. Leaving the block cancels it and joins it."""
    thread = _TrioThread(work)
    # not a daemon: the interpreter waits until what is finished is written
    runner = threading.Thread(target=contextvars.copy_context().run, args=(thread.run,), name="headrace")
    runner.start()
    try:
        yield thread
    finally:
        thread.cancel()
        runner.join()


class _TrioThread(Generic[T]):
    """The work, its end, and the way to cancel it from another thread."""

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self.ended: Future[T] = Future()
        self._work = work
        self._scope = trio.CancelScope()
        self._token: Future[trio.lowlevel.TrioToken] = Future()

    def cancel(self) -> None:
        """Cancel the work, unless it has ended."""
        with suppress(CancelledError, trio.RunFinishedError):
            self._token.result().run_sync_soon(self._scope.cancel)

    def run(self) -> None:
        """Run the work to its end."""
        try:
            self.ended.set_result(trio.run(self._main))
        except BaseException as error:  # noqa: BLE001  (raised again where the result is read)
            self.ended.set_exception(error)
        finally:
            self._token.cancel()  # where trio could not start: `cancel` must not wait for it

    async def _main(self) -> T:
        self._token.set_result(trio.lowlevel.current_trio_token())
        with self._scope, ungrouped(deep=True):
            return await self._work()
        raise CancelledError  # nothing reads the result of cancelled work


@contextmanager
def _interruptible() -> Generator[None]:
    """Let Ctrl-C raise: asyncio's own handler would ask its loop to end, which is blocked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
