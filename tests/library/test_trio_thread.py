"""Work on trio in another thread, for callers on asyncio: results, errors, context, cancellation."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
import trio

from headrace.library._trio_thread import await_on_trio_thread, run_on_trio_thread

T = TypeVar("T")

Run = Callable[[Callable[[], Awaitable[T]]], T]

caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")


def awaiting(work: Callable[[], Awaitable[T]]) -> T:
    return asyncio.run(await_on_trio_thread(work))


@pytest.fixture(params=[run_on_trio_thread, awaiting], ids=["blocking", "awaiting"])
def run(request: pytest.FixtureRequest) -> Iterator[Run[object]]:
    """Both forms; afterwards no thread may be left."""
    before = threading.active_count()
    yield request.param
    assert threading.active_count() == before


def test_the_result_comes_back(run: Run[str]) -> None:
    async def work() -> str:
        await trio.lowlevel.checkpoint()
        return threading.current_thread().name

    assert run(work) == "headrace"


@pytest.mark.parametrize("kind", [LookupError, KeyboardInterrupt, SystemExit])
def test_an_error_comes_back_without_the_groups_around_it(kind: type[BaseException], run: Run[None]) -> None:
    async def fail() -> None:
        raise kind("of the work")

    async def work() -> None:
        async with trio.open_nursery() as outer, trio.open_nursery() as inner:
            outer.start_soon(trio.sleep_forever)
            inner.start_soon(fail)

    with pytest.raises(kind, match="of the work"):
        run(work)


def test_the_work_sees_the_callers_context(run: Run[str]) -> None:
    async def work() -> str:
        return caller.get()

    assert contextvars.copy_context().run(lambda: caller.set("me") and run(work)) == "me"


def test_cancelled_work_cleans_up_while_the_callers_loop_keeps_running() -> None:
    """The clean-up waits for a call to the loop, so a blocked loop would never end it."""
    order: list[str] = []

    async def main() -> None:
        loop, began, served = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

        async def work() -> None:
            try:
                loop.call_soon_threadsafe(began.set)
                await trio.sleep_forever()
            finally:
                loop.call_soon_threadsafe(served.set)
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(served.wait, 10)
                order.append("cleaned up" if served.is_set() else "the loop was blocked")

        task = asyncio.create_task(await_on_trio_thread(work))
        await began.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        order.append("cancelled")

    asyncio.run(main())

    assert order == ["cleaned up", "cancelled"]


def test_work_whose_coroutine_is_closed_is_cancelled() -> None:
    """As when a loop is closed early, and the collector closes what was left on it."""
    order: list[str] = []
    began = threading.Event()

    async def work() -> None:
        began.set()
        try:
            await trio.sleep_forever()
        finally:
            order.append("cleaned up")

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda _loop, _context: None)  # the task is destroyed, as it says
    coroutine = await_on_trio_thread(work)
    task = loop.create_task(coroutine)  # referenced, so that the collector does not close it here
    loop.run_until_complete(asyncio.sleep(0))
    began.wait(10)
    loop.close()
    coroutine.close()
    order.append("closed")

    assert not task.done()
    assert order == ["cleaned up", "closed"]
