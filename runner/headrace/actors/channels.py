"""What trio's memory channels leave to their users: taking all that is there, and waiting until a time."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
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


def until(deadline: float) -> AbstractContextManager[object]:
    """Return a scope that ends a wait at ``deadline``, as `trio.move_on_at`; for infinity it is none.

    A scope costs 5 us, which an actor would pay each time it wakes.
    """
    return nullcontext() if deadline == math.inf else trio.CancelScope(deadline=deadline)
