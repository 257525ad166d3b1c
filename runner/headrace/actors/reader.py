"""The reader: turns the input into jobs, as many as the dispatcher asks for."""

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
    """An input: pieces of it, each a list of lines in order, or of what else stands for a job."""

    def batches(self) -> AsyncIterator[Sequence[T_co]]:
        """Yield what can be read at a time."""
        ...


async def reader(
    source: Source[T],
    demand: trio.MemoryReceiveChannel[int],
    inbox: trio.MemorySendChannel[Inbox],
    item_of: Callable[[T, float], Pending | Finished | None],
) -> None:
    """Read until the input ends or nobody asks any more. An input that cannot be read ends the run.

    ``item_of(line, now)`` makes a line a job, or the record of a line that is none; None where nothing is
    to do (done in an earlier run).
    """
    with demand, inbox:
        try:
            asked_for = await demand.receive()
            async for lines in source.batches():
                items: list[Pending | Finished] = []
                now = trio.current_time()
                for line in lines:
                    item = item_of(line, now)
                    if item is None:
                        continue
                    items.append(item)
                    if len(items) == asked_for:
                        inbox.send_nowait(Items(items))
                        items = []
                        asked_for = await demand.receive()
                        now = trio.current_time()
                if items:
                    inbox.send_nowait(Items(items))
                    asked_for -= len(items)
            inbox.send_nowait(EndOfInput())
        except StorageFailed as error:
            inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, str(error))))
        except trio.EndOfChannel:
            return
        except trio.BrokenResourceError:
            return
