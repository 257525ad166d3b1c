"""The dispatcher: decides what is sent when, and knows what is outstanding.

1. On the jobs channel lies only what may be sent this instant: whatever waits (pacing, Retry-After,
   backoff) waits here and holds no worker, connection or slot.
2. A job is outstanding from its admission until its record is on disk (`Written`), or its attempt has
   failed and it is back here. So what was sent and is not recorded never exceeds the concurrency.
3. It reads one inbox. The reader is asked for items (`demand`), so the inbox is bounded by what was
   asked for and by what is in flight.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import trio
from msgspec import structs

from headrace.breaker import Breaker
from headrace.dialects import Dialect
from headrace.job import Failure, Usage
from headrace.pacing import Binding, Pacing, Pool
from headrace.retrying import MAY_PASS, NOT_NOW, GiveUp, Retry, RetryQuota, RunRetryPolicy, StopRun
from headrace.stopping import ExitCode, StopReason, StopRules, stop_for

from ._binding import BindingWatch
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
from ._notes import note_of
from ._waiting import Waiting

LOAD_INTERVAL = 0.25
"""Seconds between two reports of the load to the monitor."""
MOST_WAITING = 10_000
"""Jobs that may wait here before no new ones are taken from the input."""
_NO_USAGE = Usage()


@attrs.frozen(kw_only=True)
class Rules:
    """The pure rules that the dispatcher asks, and the run's dice. Times in seconds."""

    pacing: Pacing
    retry: RunRetryPolicy
    stop: StopRules
    dice: Callable[[], float]
    max_wait: float = 600.0
    """Standstill (no result although jobs wait for the server) after which the run stops."""
    grace: float = 60.0
    """How long what is in flight may go on after a stop."""
    breaker: Breaker = attrs.field(factory=Breaker)
    quota: RetryQuota = attrs.field(factory=RetryQuota)


@attrs.frozen(kw_only=True)
class Channels:
    """The dispatcher's ends. Closing them is what ends the other actors."""

    inbox: trio.MemoryReceiveChannel[Inbox]
    demand: trio.MemorySendChannel[int]
    jobs: trio.MemorySendChannel[Pending]
    results: trio.MemorySendChannel[Finished]
    events: trio.MemorySendChannel[Event]


async def dispatcher(
    channels: Channels,
    rules: Rules,
    dialect: Dialect,
    recipe: str,
    abort: Callable[[], None],
    hire: Callable[[], None],
) -> list[StopReason]:
    """Run until the input is done or the run is stopped, and nothing is outstanding.

    Returns why it was stopped: nothing if it was not. ``recipe``: the digest for error records.
    ``abort``: cuts off what the workers have in flight. ``hire``: starts one more worker; there is one.
    """
    with channels.inbox, channels.demand, channels.jobs, channels.results, channels.events:
        state = _Dispatcher(
            channels=channels, rules=rules, dialect=dialect, recipe=recipe, abort=abort, hire=hire
        )
        while not state.is_done():
            now = trio.current_time()
            state.admit(now)
            state.check_time(now)
            if not state.is_done():
                await state.receive()
        return state.reasons


@attrs.define(kw_only=True)
class _Dispatcher:
    channels: Channels
    rules: Rules
    dialect: Dialect
    recipe: str
    abort: Callable[[], None]
    hire: Callable[[], None]

    waiting: Waiting = attrs.field(factory=Waiting)
    outstanding: int = 0
    workers: int = 1
    asked_for: int = 0
    input_ended: bool = False
    reasons: list[StopReason] = attrs.field(factory=list[StopReason])
    grace_ends: float = math.inf
    refused_since: float | None = None
    """Since when the server has said only "not now", or nothing that makes sense."""
    ready_at: float = math.inf
    """When the next admission may be possible, as far as time decides."""
    watch: BindingWatch = attrs.field(factory=BindingWatch)
    load_reported_at: float = -math.inf

    def is_done(self) -> bool:
        nothing_left = self.input_ended and not len(self.waiting)
        return self.outstanding == 0 and (bool(self.reasons) or nothing_left)

    # -- admission

    def admit(self, now: float) -> None:
        self.watch.woke(now)
        self.waiting.release(now)
        while not self.reasons and (pool := self._next_pool(now)) is not None:
            self._admit_one(pool, now)
        if self.outstanding < self.rules.pacing.concurrency.cap:
            self.rules.pacing.concurrency.left_room()
        self._ask_for_more()
        self._report_load(now)

    def _next_pool(self, now: float) -> tuple[str, Pool] | None:
        """Find a model whose next job may be sent now; else note what that waits for, and until when."""
        rules = self.rules
        self.ready_at = math.inf
        if not self.waiting.ready:
            self.watch.binds = "server" if self.waiting.delayed else "source"
            return None
        gates: tuple[tuple[float, Binding], ...] = (
            (rules.pacing.slot_at(self.outstanding, now), "concurrency"),
            (rules.breaker.ready_at(now), "server"),
        )
        for at, binding in gates:
            if at > now:
                self.ready_at, self.watch.binds = at, binding
                return None
        for model, pending in self.waiting.first():
            pool = rules.pacing.pool(model, now)
            at = pool.ready_at(pending.job.request, now)
            if at <= now:
                return model, pool
            if at <= self.ready_at:
                self.ready_at, self.watch.binds = at, pool.binds
        return None

    def _admit_one(self, chosen: tuple[str, Pool], now: float) -> None:
        model, pool = chosen
        pending = self.waiting.take(model)
        if pending.job.is_withdrawn:
            return
        pool.admitted(pending.job.request, now)
        self.rules.breaker.admitted(now)
        self.outstanding += 1
        if self.outstanding > self.workers:
            self.workers += 1
            self.hire()
        self.channels.jobs.send_nowait(pending)

    def _ask_for_more(self) -> None:
        waiting, wanted = self.waiting, self.rules.pacing.concurrency.cap
        if self.input_ended or self.asked_for or self.reasons or len(waiting) >= MOST_WAITING + wanted:
            return
        # With several models the next lines may be of one that has room, while the others' limits bind.
        if waiting.ready < wanted or (waiting.models > 1 and self.outstanding < wanted):
            self.asked_for = 2 * wanted
            self.channels.demand.send_nowait(self.asked_for)

    def _report_load(self, now: float) -> None:
        if now >= self.load_reported_at + LOAD_INTERVAL or self.is_done():
            self.load_reported_at = now
            self.channels.events.send_nowait(
                Load(
                    self.outstanding,
                    len(self.waiting),
                    self.rules.pacing.concurrency.cap,
                    self.watch.binds,
                    dict(self.watch.seconds),
                )
            )

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
        nothing_before = self.outstanding == 0 and self.rules.pacing.held_until() > ends
        return -math.inf if nothing_before else ends

    def _wake_at(self) -> float:
        due = math.inf if self.reasons else min(self.ready_at, self.waiting.due_at)
        return min(due, self.grace_ends, self._standstill_ends())

    # -- the inbox

    async def receive(self) -> None:
        """Handle all that has come in, waiting for the first message until something else falls due."""
        inbox = self.channels.inbox
        try:
            self.handle(inbox.receive_nowait())
        except trio.WouldBlock:
            self.watch.sleeps_until = self._wake_at()
            with trio.move_on_at(self.watch.sleeps_until):
                self.handle(await inbox.receive())
        for message in queued(inbox):
            self.handle(message)

    def handle(self, message: Inbox) -> None:
        match message:
            case Written(batch):
                self._written(batch, trio.current_time())
            case Unsaved(batch):
                self.outstanding -= len(batch)
            case Failed():
                self._failed(message, trio.current_time())
            case Items(items):
                self._take(items)
            case EndOfInput():
                self.input_ended = True
            case Interrupted(pending, sent):
                self._interrupted(pending, sent=sent)
            case Stop(reason, at_once):
                self.stop(reason, trio.current_time(), at_once=at_once)

    def _take(self, items: list[Pending | Finished]) -> None:
        self.asked_for = max(0, self.asked_for - len(items))
        for item in items:
            if isinstance(item, Pending):
                self.waiting.add(item)
            elif item.failure is not None:
                self._record_failure(item, item.failure)

    def _written(self, batch: list[Finished], now: float) -> None:
        self.outstanding -= len(batch)
        for finished in batch:
            if finished.failure is None:
                self._succeeded(finished, now)

    def _succeeded(self, finished: Finished, now: float) -> None:
        self.refused_since = None
        self.rules.stop.succeeded(1)
        self.rules.quota.succeeded()
        self.rules.breaker.answered()
        if finished.request is not None:
            self.rules.pacing.answered(
                finished.request,
                finished.usage or _NO_USAGE,
                finished.limits,
                started_at=finished.started_at,
                latency=finished.latency or 0.0,
                now=now,
            )

    def _interrupted(self, pending: Pending, *, sent: bool) -> None:
        self.outstanding -= 1
        self.rules.breaker.interrupted()
        self.rules.pacing.interrupted(pending.job.request)
        if sent:
            self.channels.events.send_nowait(AttemptFailed(kind=None, again=False, maybe_billed=True))

    def _failed(self, message: Failed, now: float) -> None:
        failure = message.failure
        self.outstanding -= 1
        pending = _counted(message.pending, failure)
        self._heed(message, now)
        verdict = self._verdict(message, pending, now)
        self.channels.events.send_nowait(
            AttemptFailed(
                kind=failure.kind,
                again=isinstance(verdict, Retry),
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
                pending = structs.replace(pending, failures=pending.failures + counts)
                self.waiting.delay(pending, now + after)
            case GiveUp():
                self._record_failure(self._finished(pending, message), failure)
            case StopRun():
                self.stop(stop_for(failure), now)

    def _verdict(self, message: Failed, pending: Pending, now: float) -> Retry | GiveUp | StopRun:
        verdict = self.rules.retry.verdict(
            message.failure,
            failures=pending.failures,
            attempts=pending.attempts,
            retry_after=message.retry_after,
            should_retry=message.should_retry,
            dice=self.rules.dice(),
        )
        if message.failure.kind not in MAY_PASS or isinstance(verdict, StopRun):
            return verdict
        if self.rules.breaker.is_open:
            return Retry(after=0.0, counts=False)  # the probes' rhythm, and nothing against the job
        if isinstance(verdict, Retry):
            return Retry(max(verdict.after, self.rules.quota.delay(now)), verdict.counts)
        return verdict

    def _heed(self, message: Failed, now: float) -> None:
        """Let a failure slow down everything, where it is about everything."""
        failure, rules, request = message.failure, self.rules, message.pending.job.request
        if failure.kind in MAY_PASS or failure.kind == "overloaded":
            rules.breaker.failed(message.pending.job.id, message.started_at, now)
        else:
            rules.breaker.answered()
        if self.refused_since is None and (failure.kind in NOT_NOW or rules.breaker.is_open):
            self.refused_since = now
        if failure.kind != "rate_limit":
            rules.pacing.failed(request, failure.kind, message.limits, started_at=message.started_at, now=now)
            return
        rules.pacing.refused(
            request,
            failure.code,
            message.limits,
            started_at=message.started_at,
            retry_after=message.retry_after,
            others=self.outstanding,
            now=now,
            dice=rules.dice(),
        )

    def _record_failure(self, finished: Finished, failure: Failure) -> None:
        self.outstanding += 1
        self.channels.results.send_nowait(finished)
        reason = self.rules.stop.failed(failure)
        if reason is not None:
            self.stop(reason, trio.current_time())

    def _finished(self, pending: Pending, message: Failed) -> Finished:
        job = pending.job
        note = note_of(pending, self.recipe, message.started_at, message.failure.request_id)
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
