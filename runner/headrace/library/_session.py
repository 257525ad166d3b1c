"""The session of a runner: it takes submissions, and delivers their results. On trio only.

It takes the place of the job file in `headrace run`. The reader's source is the `Session`, the
`SubmissionParser` makes jobs of submissions, and `Session.watch` sees what is finished.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterable, AsyncIterator, Callable
from itertools import islice
from typing import Generic, TypeVar

import attrs
import trio

from headrace._exceptions import BadLine
from headrace.actors.channels import queued
from headrace.actors.messages import Event, Finished, Pending, Stop
from headrace.actors.monitor import RunCounts
from headrace.actors.statistics import Snapshot
from headrace.dialects import Dialect
from headrace.input.identity import digest
from headrace.input.lines import InputLine
from headrace.library._recorded import RecordedResults
from headrace.library._submissions import NO_ID, JobGroup, Submission
from headrace.output.decisions import Decision, Decisions
from headrace.policy.stop import ExitCode, StopReason
from headrace.run.line_parser import bad_line, pending_job

T = TypeVar("T")

_MAX_BATCH = 64
"""The maximum number of submissions that the reader gets at a time: it holds all until the last is taken."""

CLOSED = StopReason(ExitCode.STOPPED, "the runner was closed before this job had a result")


@attrs.define(eq=False, kw_only=True)
class SubmissionParser:
    """Turns submissions into jobs, and delivers the results of those that earlier runs have done."""

    dialect: Dialect
    recipe: str
    """The recipe's digest."""
    decisions: Decisions | None
    """None: nothing is recorded, so no job has been done before."""
    recorded: RecordedResults | None
    _number: int = 0

    def item_of(self, submission: Submission, now: float) -> Pending | Finished | None:
        """Return the job or the failure of a submission; None if there is nothing to send or record."""
        if submission.group.withdrawn:
            return None
        self._number += 1
        line = InputLine(self._number, None, submission.line)
        decision = self._decide(line, submission)
        if decision.skip and decision.id is not None and self.recorded is not None:
            submission.group.deliver(self.recorded.find(decision.id, submission))
            return None
        if submission.problem is not None:
            message = f"job {submission.position} cannot be encoded: {submission.problem}"
            return bad_line(self.dialect, line, decision, self.recipe, message, submission)
        try:
            return pending_job(self.dialect.lines, line, decision, now, submission)
        except BadLine as error:
            message = f"job {submission.position} is not a valid request: {error}"
            return bad_line(self.dialect, line, decision, self.recipe, message, submission)

    def _decide(self, line: InputLine, submission: Submission) -> Decision:
        if submission.line == NO_ID and submission.problem is not None:
            return Decision(id=None, digest=digest(submission.line))  # no content to derive an id from
        if self.decisions is None:
            return Decision(id=submission.job_id, digest="")
        return self.decisions.decide(line)


@attrs.define(eq=False, init=False)
class _Channel(Generic[T]):
    """Both ends of a channel. It has no bound, because each group sends no more than its window."""

    send: trio.MemorySendChannel[T]
    receive: trio.MemoryReceiveChannel[T]

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[T](math.inf)


@attrs.define(eq=False, kw_only=True)
class Session(AsyncIterator[list[Submission]]):
    """The working side of an open runner. Its methods are called on trio and do not wait."""

    intake: SubmissionParser
    counts: RunCounts
    on_event: Callable[[Event], None] | None = None
    ended_at: float | None = None
    """When it was closed, in trio's time; None while it is open."""
    is_closing: bool = False
    """Whether `close` was called. Its stop may reach a supervisor that has just ended for another reason."""
    _groups: set[JobGroup] = attrs.field(factory=set[JobGroup])
    _submissions: _Channel[Submission] = attrs.field(factory=lambda: _Channel[Submission]())
    _stops: _Channel[Stop] = attrs.field(factory=lambda: _Channel[Stop]())

    # -- for callers

    def add_group(self, group: JobGroup) -> None:
        """Register a group, before its first submission."""
        if self.ended_at is not None:
            group.stopped(CLOSED)
        else:
            self._groups.add(group)

    def submit(self, submission: Submission) -> None:
        """Take a job, unless the session has ended."""
        if self.ended_at is None:
            self._submissions.send.send_nowait(submission)

    def withdraw_group(self, group: JobGroup) -> None:
        """Withdraw what is left of a group. Its ``idle`` is called when none of it is in flight."""
        self._groups.discard(group)
        group.withdraw()

    def statistics(self) -> Snapshot:
        """Return the current counts."""
        return self.counts.snapshot(trio.current_time() if self.ended_at is None else self.ended_at)

    def close(self) -> None:
        """Send no more jobs, and cut off those in flight. Finished results are still written."""
        self.is_closing = True
        self._stops.send.send_nowait(Stop(CLOSED, at_once=True))

    # -- for the supervisor

    def batches(self) -> AsyncIterator[list[Submission]]:
        """Return the submissions as they arrive."""
        return self

    async def __anext__(self) -> list[Submission]:
        first = await self._submissions.receive.receive()
        return [first, *islice(queued(self._submissions.receive), _MAX_BATCH - 1)]

    @property
    def stops(self) -> AsyncIterable[Stop]:
        """The request to end, which `close` makes."""
        return self._stops.receive

    def watch(self, event: Event) -> None:
        """Deliver the results whose records are written."""
        if self.on_event is not None:
            self.on_event(event)
        if isinstance(event, list):
            for finished in event:
                if isinstance(finished.recipient, Submission):
                    finished.recipient.group.deliver(finished)

    def stop(self, reason: StopReason) -> None:
        """Notify all groups that their jobs without a result will not get one. Later groups start afresh."""
        for group in self._groups:
            group.stop(reason)
        self._groups.clear()

    def end(self) -> None:
        """Take no more submissions."""
        self.ended_at = trio.current_time()
