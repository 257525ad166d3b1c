"""Two sides: the caller's event loop, and the trio on which the runner works.

Under trio they are one and nothing is crossed; under asyncio `asyncio_bridge` lies between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Bridge(Protocol):
    """Carries calls from one side to the other, in order. What they raise ends the runner."""

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the runner's side, soon. To be used on the caller's."""
        ...

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        """Call on the caller's side, soon. To be used on the runner's."""
        ...

    def call(self, function: Callable[[], T]) -> T:
        """Call on the runner's side, and wait for the answer. To be used on the caller's."""
        ...


class DirectBridge:
    """Both sides are one."""

    def to_runner(self, function: Callable[[T], object], argument: T) -> None:
        """Call at once."""
        function(argument)

    def to_caller(self, function: Callable[[T], object], argument: T) -> None:
        """Call at once."""
        function(argument)

    def call(self, function: Callable[[], T]) -> T:
        """Call at once."""
        return function()
