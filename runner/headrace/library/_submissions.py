"""To whom a result goes, where somebody waits for it: the jobs of one `map` or `call` of the library.

A `Group` stands for the one who waits. When it leaves, the group is withdrawn: what has not been sent never
is, and what is in a worker's hand is cut off.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from headrace.actors.messages import Finished
from headrace.job import Cancellable, Recipient
from headrace.library.values import Job
from headrace.policy.stop import StopReason


@attrs.define(eq=False, kw_only=True)
class JobGroup:
    """Jobs that are withdrawn together. Its callbacks are called on the runner's event loop."""

    deliver: Callable[[Finished], None]
    """Takes each result, once its record is where it belongs."""
    stopped: Callable[[StopReason], None]
    """Told when the jobs that have no result yet will get none."""
    idle: Callable[[], None]
    """Called once: it is withdrawn, and none of its jobs is in flight any more."""
    withdrawn: bool = False
    _in_hand: set[Cancellable] = attrs.field(factory=set[Cancellable])

    def take_up(self, work: Cancellable) -> None:
        """Note that a worker has one of the jobs."""
        self._in_hand.add(work)

    def put_down(self, work: Cancellable) -> None:
        """Note that the worker is done with it."""
        self._in_hand.discard(work)
        if self.withdrawn and not self._in_hand:
            self.idle()

    def withdraw(self) -> None:
        """Send nothing more, and cut off what is in flight."""
        self.withdrawn = True
        for work in self._in_hand:
            work.cancel()
        if not self._in_hand:
            self.idle()


@attrs.frozen(eq=False)
class Submission(Recipient):
    """One job of a group."""

    group: JobGroup
    position: int
    """Its place among the group's jobs, from 0."""
    job: Job[Any]
    """As the caller gave it."""
    line: bytes
    """The line of a job file that says the same."""

    @property
    def job_id(self) -> str:
        """The id that the caller gave the job; empty if none."""
        return self.job.id or ""

    @property
    def withdrawn(self) -> bool:
        """Whether the group has withdrawn."""
        return self.group.withdrawn

    def take_up(self, work: Cancellable) -> None:
        """Note that a worker has the job."""
        self.group.take_up(work)

    def put_down(self, work: Cancellable) -> None:
        """Note that the worker is done with it."""
        self.group.put_down(work)
