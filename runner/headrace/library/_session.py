"""The runner's desk: tickets come in, results go out to whoever waits for them. On trio only.

It stands where a job file stands in `headrace run`: `Desk.pieces` is the reader's source, `Desk.item_of`
makes jobs of tickets, and `Desk.watch` sees what is finished.
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
from headrace.input.files import InputLine
from headrace.job import Failure, Note, PreparedJob
from headrace.library._recorded import RecordedResults
from headrace.library._submissions import JobGroup, Submission
from headrace.output.output import Decision
from headrace.policy.stop import ExitCode, StopReason
from headrace.run.intake import DecidesLines

T = TypeVar("T")

_PIECE = 64
"""Tickets that the reader gets at a time at most: it holds them until the last one is taken over."""

CLOSED = StopReason(ExitCode.STOPPED, "the runner was closed before this job had a result")


@attrs.define(eq=False, kw_only=True)
class SubmissionParser:
    """Makes jobs of tickets, and knows those that earlier runs have done."""

    dialect: Dialect
    recipe: str
    """The recipe's digest."""
    output: DecidesLines | None
    """None: nothing is recorded, so no job is known."""
    recorded: RecordedResults | None
    _number: int = 0

    def item_of(self, ticket: Submission, now: float) -> Pending | Finished | None:
        """Return what a ticket becomes; None where nothing is to be sent or recorded."""
        if ticket.group.withdrawn:
            return None
        self._number += 1
        recognised = self._recognise(ticket)
        if recognised.skip and recognised.id is not None and self.recorded is not None:
            ticket.group.deliver(self.recorded.find(recognised.id, ticket))
            return None
        if recognised.id is None:
            return self._bad_job(ticket, recognised, recognised.problem or "the line is no job")
        try:
            request = self.dialect.read(ticket.line)
        except BadLine as error:
            return self._bad_job(ticket, recognised, str(error))
        job = PreparedJob(
            id=recognised.id,
            line=self._number,
            source=None,
            digest=recognised.digest,
            request=request,
            recipient=ticket,
        )
        return Pending(
            job=job, read_at=now, attempts=recognised.attempts, maybe_billed=recognised.maybe_billed
        )

    def _recognise(self, ticket: Submission) -> Decision:
        if self.output is None:
            return Decision(id=ticket.job.id or "", digest="")
        return self.output.decide(InputLine(self._number, None, ticket.line))

    def _bad_job(self, ticket: Submission, recognised: Decision, problem: str) -> Finished:
        note = Note(line=self._number, digest=recognised.digest, recipe=self.recipe)
        failure = Failure(
            kind="bad_line", message=f"job {ticket.position} is no request: {problem}", sent=False
        )
        record = self.dialect.failure_record(recognised.id, failure, note)
        return Finished(record=record, failure=failure, recipient=ticket, note=note)


@attrs.define(eq=False, init=False)
class _Channel(Generic[T]):
    """Both ends of a channel. Unbounded: each group sends no more than its window."""

    send: trio.MemorySendChannel[T]
    receive: trio.MemoryReceiveChannel[T]

    def __init__(self) -> None:
        self.send, self.receive = trio.open_memory_channel[T](math.inf)


@attrs.define(eq=False, kw_only=True)
class Session(AsyncIterator[list[Submission]]):
    """The side of an open runner that works. Its methods are called on trio and do not wait."""

    intake: SubmissionParser
    tally: RunCounts
    on_event: Callable[[Event], None] | None = None
    ended_at: float | None = None
    """When it was closed for good."""
    _groups: set[JobGroup] = attrs.field(factory=set[JobGroup])
    _tickets: _Channel[Submission] = attrs.field(factory=lambda: _Channel[Submission]())
    _stops: _Channel[Stop] = attrs.field(factory=lambda: _Channel[Stop]())

    # -- for whoever waits

    def enter(self, group: JobGroup) -> None:
        """Announce a group, before its first ticket."""
        if self.ended_at is not None:
            group.stopped(CLOSED)
        else:
            self._groups.add(group)

    def submit(self, ticket: Submission) -> None:
        """Take a job in."""
        if self.ended_at is None:
            self._tickets.send.send_nowait(ticket)

    def leave(self, group: JobGroup) -> None:
        """Withdraw what is left of a group; it is told when nothing of it is in flight any more."""
        self._groups.discard(group)
        group.withdraw()

    def statistics(self) -> Snapshot:
        """Return the counts at this moment."""
        return self.tally.snapshot(trio.current_time() if self.ended_at is None else self.ended_at)

    def close(self) -> None:
        """Send nothing more and cut off what is in flight; finished answers are still written."""
        self._stops.send.send_nowait(Stop(CLOSED, at_once=True))

    # -- for the supervisor

    def pieces(self) -> AsyncIterator[list[Submission]]:
        """Return the tickets as they come in."""
        return self

    async def __anext__(self) -> list[Submission]:
        first = await self._tickets.receive.receive()
        return [first, *islice(queued(self._tickets.receive), _PIECE - 1)]

    @property
    def stops(self) -> AsyncIterable[Stop]:
        """The wish to end, which `close` utters."""
        return self._stops.receive

    def watch(self, event: Event) -> None:
        """Hand out the results of records that are where they belong."""
        if self.on_event is not None:
            self.on_event(event)
        if isinstance(event, list):
            for finished in event:
                if isinstance(finished.recipient, Submission):
                    finished.recipient.group.deliver(finished)

    def stop(self, reason: StopReason) -> None:
        """Tell all who wait that what has no result yet gets none. Later groups begin anew."""
        for group in self._groups:
            group.stopped(reason)
        self._groups.clear()

    def end(self) -> None:
        """Take nothing more, for good."""
        self.ended_at = trio.current_time()
