"""The writer: appends records to their files, and only then reports them as written.

Each time it wakes it appends everything that is queued: no timer, no batching delay. A record that cannot be
written ends the run (nothing new is sent), but later ones are still tried: their answers have been paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import trio

from headrace._exceptions import StorageFailed
from headrace.job import Failure, Success
from headrace.policy.stop import ExitCode, StopReason

from .channels import queued
from .messages import Event, Finished, Inbox, Stop, Unsaved, Written


class TakesRecords(Protocol):
    """The files of an output."""

    def append_results(self, data: bytes) -> None:
        """Append whole lines to OUTPUT. Raises `StorageFailed` after removing what was written of them."""
        ...

    def append_errors(self, data: bytes) -> None:
        """Append whole lines to the error file. Raises `StorageFailed`, likewise."""
        ...


async def writer(
    results: trio.MemoryReceiveChannel[Finished],
    inbox: trio.MemorySendChannel[Inbox],
    events: trio.MemorySendChannel[Event],
    output: TakesRecords,
) -> list[Finished]:
    """Write until the results channel is closed; return the records that could not be written."""
    unsaved: list[Finished] = []
    with results, inbox, events:
        async for first in results:
            for part, append in _by_file([first, *queued(results)], output):
                try:
                    append(b"".join([finished.record for finished in part]))
                except StorageFailed as error:
                    unsaved.extend(part)
                    inbox.send_nowait(Stop(StopReason(ExitCode.STORAGE, str(error))))
                    inbox.send_nowait(Unsaved(part))
                else:
                    events.send_nowait(part)
                    inbox.send_nowait(Written(part))
        return _once_more(unsaved, events, output)


def _once_more(
    unsaved: list[Finished], events: trio.MemorySendChannel[Event], output: TakesRecords
) -> list[Finished]:
    """Try to write each record by itself: there may be room again, or room for some. Return the rest."""
    lost: list[Finished] = []
    for finished in unsaved:
        for part, append in _by_file([finished], output):
            try:
                append(finished.record)
            except StorageFailed:
                lost.append(finished)
            else:
                events.send_nowait(part)
    return lost


def _by_file(
    batch: list[Finished], output: TakesRecords
) -> Iterator[tuple[list[Finished], Callable[[bytes], None]]]:
    results = [finished for finished in batch if isinstance(finished.outcome, Success)]
    if results:
        yield results, output.append_results
    if len(results) < len(batch):
        yield [finished for finished in batch if isinstance(finished.outcome, Failure)], output.append_errors
