"""The flusher: with ``--durability fsync`` it stands between the writer and the monitor (group commit).

Everything written while one sync runs forms the group of the next one. A record counts as done, in the
progress line and for the caller who waits for it, only after its group's sync. Its job leaves the number in
flight earlier, when the record is written.
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
    """Sync until the channel of written records is closed; return why the run had to end, if it had to.

    A failed sync ends the run: what the disk holds is then unknown, so no later record counts as done.
    """
    with written, inbox, events:
        async for first in written:
            group = [first, *queued(written)]
            try:
                await sync()
            except StorageFailed as error:
                reason = StopReason(ExitCode.STORAGE, str(error))
                with suppress(trio.BrokenResourceError):  # every job is written and the dispatcher has ended
                    inbox.send_nowait(Stop(reason))
                async for _ in written:
                    continue
                return [reason]
            for event in group:
                events.send_nowait(event)
        return []
