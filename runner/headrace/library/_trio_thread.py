"""Work on trio in a thread of its own, for callers that have another event loop, or none to spare."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import threading
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Generic, TypeVar

import anyio
import outcome
import trio

from headrace.library._exception_groups import ungrouped

T = TypeVar("T")


class TrioThread(Generic[T]):
    """A thread that does one piece of work and can be cancelled. ``done`` is called in it at the end."""

    def __init__(self, work: Callable[[], Awaitable[T]], done: Callable[[], object]) -> None:
        self._work = work
        self._done = done
        self._scope = trio.CancelScope()
        self._token: trio.lowlevel.TrioToken | None = None
        self._outcome: outcome.Outcome[T] | None = None
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._run,), name="headrace")

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def cancel(self) -> None:
        """Cancel the work; the thread ends when that is cleaned up."""
        try:
            (self._token.run_sync_soon if self._token else _call)(self._scope.cancel)
        except trio.RunFinishedError:
            return

    def join(self) -> None:
        """Wait for the end of the thread, blocking."""
        self._thread.join()

    def result(self) -> T:
        """Return what the work returned, or raise what it raised. To be called after the end, once."""
        if self._outcome is None:
            raise RuntimeError("the work is not done")
        with ungrouped(deep=True):
            return self._outcome.unwrap()

    def _run(self) -> None:
        self._outcome = outcome.capture(trio.run, self._cancellable)
        self._done()

    async def _cancellable(self) -> T:
        self._token = trio.lowlevel.current_trio_token()
        with self._scope:
            return await self._work()
        raise KeyboardInterrupt  # nobody else cancels, and nobody waits for a result then


def _call(function: Callable[[], object]) -> None:
    function()


def run_on_trio_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Work in a thread, and wait for it without doing anything else. Ctrl-C cancels the work."""
    over = threading.Event()  # an interrupted Thread.join takes the thread for ended
    thread = TrioThread(work, done=over.set)
    thread.start()
    try:
        with _interruptible():
            over.wait()
    finally:
        if not over.is_set():
            thread.cancel()
        thread.join()
    return thread.result()


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


async def await_on_trio_thread(work: Callable[[], Awaitable[T]]) -> T:
    """Work in a thread while asyncio goes on. To cancel it cancels the work, and waits for the end."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    thread = TrioThread(work, done=lambda: loop.call_soon_threadsafe(over.set))
    thread.start()
    try:
        await over.wait()
    finally:
        if not over.is_set():
            thread.cancel()
            with anyio.CancelScope(shield=True):
                await over.wait()
        thread.join()
    return thread.result()
