"""The syncer: with ``--durability fsync`` it stands between the writer and the monitor.

What is written while one sync runs is the next one's group. A record counts as done (in the progress line,
for whoever waits for it) only after its group's sync; a job is no longer in flight as soon as it is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress

import trio

from headrace._exceptions import StorageFailed
from headrace.policy.stop import ExitCode, StopReason

from .channels import queued
from .messages import Event, Inbox, Stop


async def flusher(
    written: trio.MemoryReceiveChannel[Event],
    inbox: trio.MemorySendChannel[Inbox],
    events: trio.MemorySendChannel[Event],
    sync: Callable[[], Awaitable[None]],
) -> list[StopReason]:
    """Sync until the channel of written records is closed; return why the run had to end, if it had.

    A failed sync ends the run: what the disk holds is then unknown, so nothing counts as done any more (P10).
    """
    with written, inbox, events:
        async for first in written:
            group = [first, *queued(written)]
            try:
                await sync()
            except StorageFailed as error:
                reason = StopReason(ExitCode.STORAGE, str(error))
                with suppress(trio.BrokenResourceError):  # all were sent, and the dispatcher has gone
                    inbox.send_nowait(Stop(reason))
                async for _ in written:
                    continue
                return [reason]
            for event in group:
                events.send_nowait(event)
        return []
