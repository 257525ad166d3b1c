"""To whom a result goes, where somebody waits for it: the jobs of one `map` or `call` of the library.

A `Group` stands for the one who waits. When it leaves, the group is withdrawn: what has not been sent never
is, and what is in a worker's hand is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import attrs
import trio

if TYPE_CHECKING:
    from headrace.actors._messages import Finished
    from headrace.library._values import Job
    from headrace.stopping import StopReason


@attrs.define(eq=False, kw_only=True)
class Group:
    """Jobs that are withdrawn together. Its callbacks are called on the runner's event loop."""

    deliver: Callable[[Finished], None]
    """Takes each result, once its record is where it belongs."""
    stopped: Callable[[StopReason], None]
    """Told when the jobs that have no result yet will get none."""
    idle: Callable[[], None]
    """Called once: it is withdrawn, and none of its jobs is in flight any more."""
    withdrawn: bool = False
    _in_hand: set[trio.CancelScope] = attrs.field(factory=set[trio.CancelScope])

    def take_up(self, scope: trio.CancelScope) -> None:
        """Note that a worker, which ``scope`` can cut off, has one of the jobs."""
        self._in_hand.add(scope)

    def put_down(self, scope: trio.CancelScope) -> None:
        """Note that the worker is done with it."""
        self._in_hand.discard(scope)
        if self.withdrawn and not self._in_hand:
            self.idle()

    def withdraw(self) -> None:
        """Send nothing more, and cut off what is in flight."""
        self.withdrawn = True
        for scope in self._in_hand:
            scope.cancel()
        if not self._in_hand:
            self.idle()


@attrs.frozen(eq=False)
class Ticket:
    """One job of a group."""

    group: Group
    position: int
    """Its place among the group's jobs, from 0."""
    job: Job[Any]
    """As the caller gave it."""
    line: bytes
    """The line of a job file that says the same."""
