"""The reader: turns the input into jobs, as many as the dispatcher requests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import Protocol, TypeVar

import trio

from headrace._exceptions import StorageFailed
from headrace.policy.stop import ExitCode, StopReason

from .messages import EndOfInput, Finished, Inbox, Items, Pending, Stop

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Source(Protocol[T_co]):
    """An input: lines of a file, or other values that each stand for a job, in order."""

    def batches(self) -> AsyncIterator[Sequence[T_co]]:
        """Yield as many at a time as can be read at once."""
        ...


async def reader(
    source: Source[T],
    demand: trio.MemoryReceiveChannel[int],
    inbox: trio.MemorySendChannel[Inbox],
    item_of: Callable[[T, float], Pending | Finished | None],
) -> None:
    """Read until the input ends or the demand channel is closed. An input that cannot be read ends the run.

    ``item_of(line, now)`` returns the line's job, or an error record if it cannot be parsed, or None if there
    is nothing to do because an earlier run has done it. ``now``: seconds on the event loop's clock.
    """
    with demand, inbox:
        try:
            wanted = await demand.receive()
            async for lines in source.batches():
                items: list[Pending | Finished] = []
                now = trio.current_time()
                for line in lines:
                    item = item_of(line, now)
                    if item is None:
                        continue
                    items.append(item)
                    if len(items) == wanted:
                        inbox.send_nowait(Items(items))
                        items = []
                        wanted = await demand.receive()
                        now = trio.current_time()
                if items:
                    inbox.send_nowait(Items(items))
                    wanted -= len(items)
            inbox.send_nowait(EndOfInput())
        except StorageFailed as error:
            inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, str(error))))
        except (trio.EndOfChannel, trio.BrokenResourceError):
            return  # the dispatcher has ended
