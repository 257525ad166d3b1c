"""How calls get from the caller's event loop to the trio loop of the runner, and back.

Under trio the two are the same loop. Under asyncio they are loops in two threads, and `_asyncio_bridge`
connects them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Bridge(Protocol):
    """Carries calls from one side to the other, in order. An error in a call ends the runner."""

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the runner's side, soon. For the caller's side."""
        ...

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the caller's side, soon. For the runner's side."""
        ...

    def call(self, function: Callable[[], T]) -> T:
        """Call on the runner's side, and return the result. For the caller's side; it blocks."""
        ...


class DirectBridge:
    """The bridge under trio: both sides are the same loop, and every call is made directly."""

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        function(argument)

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        function(argument)

    def call(self, function: Callable[[], T]) -> T:
        return function()
