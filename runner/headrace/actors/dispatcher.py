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

from headrace.dialects import Dialect
from headrace.job import Failure
from headrace.pacing import Pacing
from headrace.policy.budget import Budget
from headrace.policy.circuit_breaker import CircuitBreaker
from headrace.policy.retry import (
    OUTAGE_KINDS,
    THROTTLING_KINDS,
    GiveUp,
    Retry,
    RetryQuota,
    RunRetryPolicy,
    StopRun,
)
from headrace.policy.stop import ExitCode, StopReason, StopRules, stop_reason_for
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, UnconfirmedUsage, attempt_usage

from ._admission import Admission
from ._notes import note_of
from .channels import queued, until
from .messages import (
    AttemptFailed,
    Began,
    EndOfInput,
    Event,
    Failed,
    Finished,
    Inbox,
    Interrupted,
    Items,
    Pending,
    Stop,
    Unsaved,
    Written,
)

LOAD_INTERVAL = 0.25
"""Seconds between two reports of the load to the monitor."""
MIN_DEMAND = 64
"""Jobs that are asked for at a time, at least."""
LOOK_AHEAD = 1_000
"""Jobs to look at for other models while the only known one is held back by its limits."""
MAX_WAITING = 10_000
"""Jobs that may wait here before no new ones are taken from the input."""


@attrs.frozen(kw_only=True)
class Rules:
    """The pure rules that the dispatcher asks, and the run's dice. Times in seconds."""

    pacing: Pacing
    retry: RunRetryPolicy
    stop: StopRules
    random: Callable[[], float]
    max_wait: float = 600.0
    """Standstill (no result although jobs wait for the server) after which the run stops."""
    grace: float = 60.0
    """How long what is in flight may go on after a stop."""
    circuit_breaker: CircuitBreaker = attrs.field(factory=CircuitBreaker)
    budget: Budget | None = None
    """None: any sum may be spent."""
    quota: RetryQuota = attrs.field(factory=RetryQuota)


@attrs.frozen(kw_only=True)
class DispatcherChannels:
    """The dispatcher's ends. Closing them is what ends the other actors."""

    inbox: trio.MemoryReceiveChannel[Inbox]
    demand: trio.MemorySendChannel[int]
    jobs: trio.MemorySendChannel[Pending]
    results: trio.MemorySendChannel[Finished]
    events: trio.MemorySendChannel[Event]


async def dispatcher(
    channels: DispatcherChannels,
    rules: Rules,
    dialect: Dialect,
    recipe: str,
    abort: Callable[[], None],
    start_worker: Callable[[], None],
) -> list[StopReason]:
    """Run until the input is done or the run is stopped, and nothing is outstanding.

    Returns why it was stopped: nothing if it was not. ``recipe``: the digest for error records.
    ``abort``: cuts off what the workers have in flight. ``start_worker``: starts one more worker; there is one.
    """
    with channels.inbox, channels.demand, channels.jobs, channels.results, channels.events:
        admission = Admission(pacing=rules.pacing, circuit_breaker=rules.circuit_breaker, budget=rules.budget)
        state = _Dispatcher(
            channels=channels,
            rules=rules,
            admission=admission,
            dialect=dialect,
            recipe=recipe,
            abort=abort,
            start_worker=start_worker,
        )
        while not state.is_done():
            now = trio.current_time()
            state.admit(now)
            state.check_time(now)
            if not state.is_done():
                await state.receive()
        state.report_load(trio.current_time())
        return state.reasons


@attrs.define(kw_only=True)
class _Dispatcher:
    channels: DispatcherChannels
    rules: Rules
    admission: Admission
    dialect: Dialect
    recipe: str
    abort: Callable[[], None]
    start_worker: Callable[[], None]

    workers: int = 1
    asked_for: int = 0
    input_ended: bool = False
    reasons: list[StopReason] = attrs.field(factory=list[StopReason])
    grace_ends: float = math.inf
    refused_since: float | None = None
    """Since when the server has said only "not now", or nothing that makes sense."""
    load_reported_at: float = -math.inf

    def is_done(self) -> bool:
        nothing_left = self.input_ended and not len(self.admission.waiting)
        return self.admission.outstanding == 0 and (bool(self.reasons) or nothing_left)

    # -- admission

    def admit(self, now: float) -> None:
        admission = self.admission
        admission.timer.woke(now)
        admission.waiting.release(now)
        while not self.reasons and (taken := admission.take(now)):
            for pending in taken:
                self._send(pending)
        admission.settle()
        if admission.unaffordable is not None and not self.reasons:
            self.stop(StopReason(ExitCode.STOPPED, admission.unaffordable), now)
        self._ask_for_more()
        self.report_load(now)

    def _send(self, pending: Pending) -> None:
        if self.admission.outstanding > self.workers:
            self.workers += 1
            self.start_worker()
        self.channels.jobs.send_nowait(pending)

    def _ask_for_more(self) -> None:
        admission, wanted = self.admission, self.rules.pacing.concurrency.cap
        waiting = admission.waiting
        if self.input_ended or self.asked_for or self.reasons or len(waiting) >= MAX_WAITING + wanted:
            return
        if admission.outstanding < wanted:
            # A limit binds. The next lines may be of another model, one that has room.
            wanted = MAX_WAITING if len(self.rules.pacing.by_model) > 1 else max(wanted, LOOK_AHEAD)
        if waiting.ready < wanted:
            self.asked_for = max(MIN_DEMAND, 2 * self.rules.pacing.concurrency.cap)
            self.channels.demand.send_nowait(self.asked_for)

    def report_load(self, now: float) -> None:
        if now >= self.load_reported_at + LOAD_INTERVAL or not self.admission.outstanding:
            self.load_reported_at = now
            self.channels.events.send_nowait(self.admission.load())

    # -- time

    def check_time(self, now: float) -> None:
        if now >= self.grace_ends:
            self.grace_ends = math.inf
            self.abort()
        if self._standstill_ends() <= now:
            waited = f"no result for {self.rules.max_wait:g} s while the server says 'not now'"
            again = "try again later, or wait longer by --max-wait (max_wait)"
            self.stop(StopReason(ExitCode.STOPPED, f"{waited}; {again}"), now)

    def _standstill_ends(self) -> float:
        """When the standstill is as long as it may be: now, if the next admission lies beyond that."""
        if self.refused_since is None or self.reasons:
            return math.inf
        ends = self.refused_since + self.rules.max_wait
        nothing_before = self.admission.outstanding == 0 and self.rules.pacing.cooldown_until() > ends
        return -math.inf if nothing_before else ends

    def _wake_at(self) -> float:
        due = math.inf if self.reasons else min(self.admission.ready_at, self.admission.waiting.due_at)
        return min(due, self.grace_ends, self._standstill_ends())

    # -- the inbox

    async def receive(self) -> None:
        """Handle all that has come in, waiting for the first message until something else falls due."""
        inbox = self.channels.inbox
        try:
            self.handle(inbox.receive_nowait())
        except trio.WouldBlock:
            self.admission.timer.sleeps_until = self._wake_at()
            with until(self.admission.timer.sleeps_until):
                self.handle(await inbox.receive())
        for message in queued(inbox):
            self.handle(message)

    def handle(self, message: Inbox) -> None:
        match message:
            case Written(batch):
                self._written(batch, trio.current_time())
            case Unsaved(batch):
                self.admission.outstanding -= len(batch)
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
            case Began(model):
                self.rules.pacing.began(model)

    def _take(self, items: list[Pending | Finished]) -> None:
        self.asked_for = max(0, self.asked_for - len(items))
        for item in items:
            if isinstance(item, Pending):
                self.admission.waiting.add(item)
            elif item.failure is not None:
                self._record_failure(item, item.failure)

    def _written(self, batch: list[Finished], now: float) -> None:
        self.admission.outstanding -= len(batch)
        results = [finished for finished in batch if finished.failure is None]
        if results:
            self.refused_since = None
            self.rules.stop.succeeded(len(results))
            self.rules.quota.succeeded(len(results))
            self.admission.answered(results, now)

    def _interrupted(self, pending: Pending, *, sent: bool) -> None:
        self.admission.outstanding -= 1
        self.admission.interrupted(pending, sent=sent)
        if sent:
            lost = attempt_usage(pending.job.request)
            self.channels.events.send_nowait(AttemptFailed(kind=None, again=False, maybe_billed=lost))

    def _failed(self, message: Failed, now: float) -> None:
        failure = message.failure
        self.admission.outstanding -= 1
        lost = attempt_usage(message.pending.job.request) if failure.sent else NO_UNCONFIRMED_USAGE
        pending = _counted(message.pending, lost)
        self.admission.failed(message, now, self.rules.random())
        if self.refused_since is None and (
            failure.kind in THROTTLING_KINDS or self.rules.circuit_breaker.is_open
        ):
            self.refused_since = now
        verdict = self._verdict(message, pending, now)
        self.channels.events.send_nowait(
            AttemptFailed(
                kind=failure.kind,
                again=isinstance(verdict, Retry),
                maybe_billed=lost,
                job_id=pending.job.id,
                model=pending.job.request.model,
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
                self.admission.waiting.delay(pending, now + after)
            case GiveUp():
                self._record_failure(self._finished(pending, message), failure)
            case StopRun():
                self.stop(stop_reason_for(failure), now)

    def _verdict(self, message: Failed, pending: Pending, now: float) -> Retry | GiveUp | StopRun:
        verdict = self.rules.retry.verdict(
            message.failure,
            failures=pending.failures,
            attempts=pending.attempts,
            retry_after=message.retry_after,
            should_retry=message.should_retry,
            jitter=self.rules.random(),
        )
        if message.failure.kind not in OUTAGE_KINDS or isinstance(verdict, StopRun):
            return verdict
        if self.rules.circuit_breaker.is_open:
            return Retry(after=0.0, counts=False)  # the probes' rhythm, and nothing against the job
        if isinstance(verdict, Retry):
            return Retry(max(verdict.after, self.rules.quota.delay(now)), verdict.counts)
        return verdict

    def _record_failure(self, finished: Finished, failure: Failure) -> None:
        self.admission.outstanding += 1
        self.channels.results.send_nowait(finished)
        reason = self.rules.stop.failed(failure)
        if reason is not None:
            self.stop(reason, trio.current_time())

    def _finished(self, pending: Pending, message: Failed) -> Finished:
        job = pending.job
        note = note_of(
            pending,
            self.recipe,
            message.started_at,
            message.failure.request_id,
            attempts=pending.attempts,
        )
        record = self.dialect.failure_record(job.id, message.failure, note)
        return Finished(
            record=record,
            failure=message.failure,
            started_at=message.started_at,
            recipient=job.recipient,
            note=note,
        )

    def stop(self, reason: StopReason, now: float, *, at_once: bool = False) -> None:
        """Admit nothing more; what is in flight may finish until the grace is over."""
        if not self.reasons:
            self.grace_ends = now + self.rules.grace
        if at_once:
            self.grace_ends = now
        self.reasons.append(reason)


def _counted(pending: Pending, lost: UnconfirmedUsage) -> Pending:
    return structs.replace(
        pending, attempts=pending.attempts + 1, maybe_billed=pending.maybe_billed.plus(lost)
    )
