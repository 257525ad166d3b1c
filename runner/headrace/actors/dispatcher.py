"""The dispatcher: decides what is sent when, and knows what is outstanding.

1. On the jobs channel lies only what may be sent this instant: whatever waits (pacing, Retry-After,
   backoff) waits here and holds no worker, connection or slot.
2. A job is outstanding from its admission until its record is on disk (`Written`), or its attempt has
   failed and it is back here. So what was sent and is not recorded never exceeds the concurrency.
3. It reads one inbox. The reader is asked for items (`demand`), so the inbox is bounded by what was
   asked for and by what is in flight.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable

import attrs
import trio
from msgspec import structs

from headrace.dialects import Dialect
from headrace.job import Failure, Note
from headrace.pacing import FixedPacing
from headrace.retrying import GiveUp, Retry, RunRetryPolicy, StopRun
from headrace.stopping import ExitCode, StopReason, StopRules, stop_for

from ._channels import queued
from ._messages import (
    AttemptFailed,
    EndOfInput,
    Event,
    Failed,
    Finished,
    Inbox,
    Interrupted,
    Items,
    Load,
    Pending,
    Stop,
    Unsaved,
    Written,
)

LOAD_INTERVAL = 0.25
"""Seconds between two reports of the load to the monitor."""
MOST_WAITING = 10_000
"""Jobs that may wait for a retry before no new ones are taken from the input."""


@attrs.frozen(kw_only=True)
class Rules:
    """The pure rules that the dispatcher asks, and the run's dice. Times in seconds."""

    pacing: FixedPacing
    retry: RunRetryPolicy
    stop: StopRules
    dice: Callable[[], float]
    max_wait: float = 600.0
    """Standstill (no result although jobs wait for the server) after which the run stops."""
    grace: float = 60.0
    """How long what is in flight may go on after a stop."""


@attrs.frozen(kw_only=True)
class Channels:
    """The dispatcher's ends. Closing them is what ends the other actors."""

    inbox: trio.MemoryReceiveChannel[Inbox]
    demand: trio.MemorySendChannel[int]
    jobs: trio.MemorySendChannel[Pending]
    results: trio.MemorySendChannel[Finished]
    events: trio.MemorySendChannel[Event]


async def dispatcher(
    channels: Channels, rules: Rules, dialect: Dialect, recipe: str, abort: Callable[[], None]
) -> list[StopReason]:
    """Run until the input is done or the run is stopped, and nothing is outstanding.

    Returns why it was stopped: nothing if it was not. ``recipe``: the digest for error records.
    ``abort``: cuts off what the workers have in flight.
    """
    with channels.inbox, channels.demand, channels.jobs, channels.results, channels.events:
        state = _Dispatcher(channels=channels, rules=rules, dialect=dialect, recipe=recipe, abort=abort)
        while not state.is_done():
            now = trio.current_time()
            state.admit(now)
            state.check_time(now)
            if not state.is_done():
                await state.receive(now)
        return state.reasons


@attrs.define(kw_only=True)
class _Dispatcher:
    channels: Channels
    rules: Rules
    dialect: Dialect
    recipe: str
    abort: Callable[[], None]

    ready: deque[Pending] = attrs.field(factory=deque[Pending])
    delayed: list[tuple[float, int, Pending]] = attrs.field(factory=list[tuple[float, int, Pending]])
    """A heap by due time; the number keeps equal times in order."""
    delays: int = 0
    outstanding: int = 0
    asked_for: int = 0
    input_ended: bool = False
    reasons: list[StopReason] = attrs.field(factory=list[StopReason])
    grace_ends: float = math.inf
    refused_since: float | None = None
    """Since when the server has said only "not now"."""
    load_reported_at: float = -math.inf

    def is_done(self) -> bool:
        nothing_left = self.input_ended and not self.ready and not self.delayed
        return self.outstanding == 0 and (bool(self.reasons) or nothing_left)

    # -- admission

    def admit(self, now: float) -> None:
        pacing, jobs = self.rules.pacing, self.channels.jobs
        while not self.reasons and self._has_due(now) and pacing.ready_at(now, self.outstanding) <= now:
            pending = self._next_due(now)
            if pending.job.is_withdrawn:
                continue
            pacing.admitted(now)
            self.outstanding += 1
            jobs.send_nowait(pending)
        self._ask_for_more()
        self._report_load(now)

    def _has_due(self, now: float) -> bool:
        return bool(self.ready) or (bool(self.delayed) and self.delayed[0][0] <= now)

    def _next_due(self, now: float) -> Pending:
        if self.delayed and self.delayed[0][0] <= now:
            return heapq.heappop(self.delayed)[2]
        return self.ready.popleft()

    def _ask_for_more(self) -> None:
        wanted = self.rules.pacing.concurrency
        if self.input_ended or self.asked_for or self.reasons or len(self.ready) >= wanted:
            return
        if len(self.delayed) < MOST_WAITING:
            self.asked_for = 2 * wanted
            self.channels.demand.send_nowait(self.asked_for)

    def _report_load(self, now: float) -> None:
        if now >= self.load_reported_at + LOAD_INTERVAL:
            self.load_reported_at = now
            self.channels.events.send_nowait(Load(self.outstanding, len(self.ready) + len(self.delayed)))

    # -- time

    def check_time(self, now: float) -> None:
        if now >= self.grace_ends:
            self.grace_ends = math.inf
            self.abort()
        if self._standstill_ends() <= now:
            waited = f"no result for {self.rules.max_wait:g} s while the server says 'not now' (--max-wait)"
            self.stop(StopReason(ExitCode.STOPPED, f"{waited}; run the same command again later"), now)

    def _standstill_ends(self) -> float:
        """When the standstill is as long as it may be: now, if the next admission lies beyond that."""
        if self.refused_since is None or self.reasons:
            return math.inf
        ends = self.refused_since + self.rules.max_wait
        nothing_before = self.outstanding == 0 and self.rules.pacing.held_until > ends
        return -math.inf if nothing_before else ends

    def _wake_at(self, now: float) -> float:
        due = math.inf
        if not self.reasons:
            due = now if self.ready else self.delayed[0][0] if self.delayed else math.inf
            due = max(due, self.rules.pacing.ready_at(now, self.outstanding))
        return min(due, self.grace_ends, self._standstill_ends())

    # -- the inbox

    async def receive(self, now: float) -> None:
        """Handle all that has come in, waiting for the first message until something else falls due."""
        inbox = self.channels.inbox
        try:
            self.handle(inbox.receive_nowait())
        except trio.WouldBlock:
            with trio.move_on_at(self._wake_at(now)):
                self.handle(await inbox.receive())
        for message in queued(inbox):
            self.handle(message)

    def handle(self, message: Inbox) -> None:
        match message:
            case Written(batch):
                self._written(batch)
            case Unsaved(batch):
                self.outstanding -= len(batch)
            case Failed():
                self._failed(message, trio.current_time())
            case Items(items):
                self._take(items)
            case EndOfInput():
                self.input_ended = True
            case Interrupted(sent=sent):
                self._interrupted(sent=sent)
            case Stop(reason, at_once):
                self.stop(reason, trio.current_time(), at_once=at_once)

    def _take(self, items: list[Pending | Finished]) -> None:
        self.asked_for = max(0, self.asked_for - len(items))
        for item in items:
            if isinstance(item, Pending):
                self.ready.append(item)
            elif item.failure is not None:
                self._record_failure(item, item.failure)

    def _written(self, batch: list[Finished]) -> None:
        self.outstanding -= len(batch)
        for finished in batch:
            if finished.failure is None:
                self.refused_since = None
                self.rules.stop.succeeded(1)
                self.rules.pacing.succeeded(finished.started_at)

    def _interrupted(self, *, sent: bool) -> None:
        self.outstanding -= 1
        if sent:
            self.channels.events.send_nowait(AttemptFailed(kind=None, again=False, maybe_billed=True))

    def _failed(self, message: Failed, now: float) -> None:
        failure = message.failure
        self.outstanding -= 1
        pending = _counted(message.pending, failure)
        verdict = self.rules.retry.verdict(
            failure,
            failures=pending.failures,
            attempts=pending.attempts,
            retry_after=message.retry_after,
            should_retry=message.should_retry,
            dice=self.rules.dice(),
        )
        again = isinstance(verdict, Retry)
        self.channels.events.send_nowait(
            AttemptFailed(
                kind=failure.kind,
                again=again,
                maybe_billed=failure.sent,
                job_id=pending.job.id,
                attempt=pending.attempts,
                wait=verdict.after if isinstance(verdict, Retry) else None,
                latency=now - message.started_at,
                status=failure.status,
                request_id=failure.request_id,
            )
        )
        match verdict:
            case Retry(after, counts):
                self._delay(pending, now + after, counts=counts)
                self._heed(message, now)
            case GiveUp():
                self._record_failure(self._finished(pending, message), failure)
            case StopRun():
                self.stop(stop_for(failure), now)

    def _heed(self, message: Failed, now: float) -> None:
        """Let a failure slow down everything, where it is about everything."""
        kind = message.failure.kind
        if kind in ("rate_limit", "overloaded") and self.refused_since is None:
            self.refused_since = now
        if kind == "rate_limit":
            self.rules.pacing.refused(now, message.retry_after, self.rules.dice())

    def _delay(self, pending: Pending, due: float, *, counts: bool) -> None:
        if counts:
            pending = structs.replace(pending, failures=pending.failures + 1)
        self.delays += 1
        heapq.heappush(self.delayed, (due, self.delays, pending))

    def _record_failure(self, finished: Finished, failure: Failure) -> None:
        self.outstanding += 1
        self.channels.results.send_nowait(finished)
        reason = self.rules.stop.failed(failure)
        if reason is not None:
            self.stop(reason, trio.current_time())

    def _finished(self, pending: Pending, message: Failed) -> Finished:
        job = pending.job
        note = Note(
            line=job.line,
            source=job.source,
            digest=job.digest,
            recipe=self.recipe,
            attempts=pending.attempts,
            maybe_billed=pending.maybe_billed,
            queued_s=round(message.started_at - pending.read_at, 6),
            request_id=message.failure.request_id,
        )
        record = self.dialect.failure_record(job.id, message.failure, note)
        return Finished(
            record=record,
            failure=message.failure,
            started_at=message.started_at,
            ticket=job.ticket,
            note=note,
        )

    def stop(self, reason: StopReason, now: float, *, at_once: bool = False) -> None:
        """Admit nothing more; what is in flight may finish until the grace is over."""
        if not self.reasons:
            self.grace_ends = now + self.rules.grace
        if at_once:
            self.grace_ends = now
        self.reasons.append(reason)


def _counted(pending: Pending, failure: Failure) -> Pending:
    return structs.replace(
        pending, attempts=pending.attempts + 1, maybe_billed=pending.maybe_billed + failure.sent
    )
