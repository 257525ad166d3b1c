"""What trio's memory channels leave to their users."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import trio

T = TypeVar("T")


def queued(channel: trio.MemoryReceiveChannel[T]) -> Iterator[T]:
    """Take what lies on a channel now, without waiting for more."""
    try:
        while True:
            yield channel.receive_nowait()
    except (trio.WouldBlock, trio.EndOfChannel):
        return
