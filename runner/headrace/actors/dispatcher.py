"""The dispatcher: decides which job is sent when, and knows which jobs are outstanding.

1. The jobs channel holds only what may be sent at this instant. A job that waits (for pacing, a Retry-After
   or backoff) waits here and holds no worker, connection or slot.
2. A job is outstanding from its admission until its record is on disk (`Written`), or until its attempt has
   failed and it is back here. So what has been sent but not recorded never exceeds the concurrency.
3. It reads one inbox. The reader is asked for items (`demand`), so the inbox is bounded by what was requested
   and by what is in flight.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs
import trio
from msgspec import structs

from headrace.dialects import Dialect
from headrace.policy.retry import OUTAGE_KINDS, RESEND, GiveUp, Retry, StopRun
from headrace.policy.stop import ExitCode, StopReason, stop_reason_for
from headrace.policy.unconfirmed import NO_UNCONFIRMED_USAGE, attempt_usage

from ._admission import Admission
from ._given_up import GivenUp
from ._queue import Waits
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
from .rules import Rules

LOAD_INTERVAL = 0.25
"""Seconds between two reports of the load to the monitor, which shows it no more often."""


@attrs.frozen(kw_only=True)
class DispatcherChannels:
    """The dispatcher's ends of the channels. Closing them ends the other actors."""

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

    Returns why the run was stopped; an empty list if it was not. ``recipe``: the digest for error records.
    ``abort`` cancels what is in flight. ``start_worker`` starts one more worker; the first one runs already.
    """
    with channels.inbox, channels.demand, channels.jobs, channels.results, channels.events:
        admission = Admission(pacing=rules.pacing, circuit_breaker=rules.circuit_breaker, budget=rules.budget)
        state = _Dispatcher(
            channels=channels,
            rules=rules,
            admission=admission,
            waits=Waits(waiting=admission.waiting, max_wait=rules.stop_options.max_wait),
            given_up=GivenUp(dialect=dialect, recipe=recipe, systemic=rules.systemic),
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
        return [*state.reasons, *state.given_up.ended.values()]


@attrs.define(kw_only=True)
class _Dispatcher:
    channels: DispatcherChannels
    rules: Rules
    admission: Admission
    waits: Waits
    given_up: GivenUp
    abort: Callable[[], None]
    start_worker: Callable[[], None]

    workers: int = 1
    requested: int = 0
    """Items requested from the reader that have not arrived."""
    input_ended: bool = False
    reasons: list[StopReason] = attrs.field(factory=list[StopReason])
    grace_ends: float = math.inf
    load_reported_at: float = -math.inf

    def is_done(self) -> bool:
        nothing_left = self.input_ended and not len(self.admission.waiting)
        return self.admission.outstanding == 0 and (bool(self.reasons) or nothing_left)

    # -- admission

    def admit(self, now: float) -> None:
        admission = self.admission
        admission.wake(now)
        while not self.reasons and (taken := admission.take(now)):
            for pending in taken:
                self._send(pending)
        admission.settle()
        if admission.unaffordable is not None and not self.reasons:
            self.stop(StopReason(ExitCode.STOPPED, admission.unaffordable), now)
        self._request_items()
        self.report_load(now)

    def _send(self, pending: Pending) -> None:
        if self.admission.outstanding > self.workers:
            self.workers += 1
            self.start_worker()
        self.channels.jobs.send_nowait(pending)

    def _request_items(self) -> None:
        if self.input_ended or self.requested or self.reasons:
            return
        if demand := self.admission.demand():
            self.requested = demand
            self.channels.demand.send_nowait(demand)

    def report_load(self, now: float) -> None:
        if now >= self.load_reported_at + LOAD_INTERVAL or not self.admission.outstanding:
            self.load_reported_at = now
            self.channels.events.send_nowait(self.admission.load())

    # -- time

    def check_time(self, now: float) -> None:
        if now >= self.grace_ends:
            self.grace_ends = math.inf
            self.abort()
        if not self.reasons:
            problem = self.waits.problem(
                self.admission.hold(now),
                now,
                in_flight=self.admission.outstanding,
                expects_jobs=self.requested > 0 and not self.input_ended,
            )
            if problem is not None:
                self.stop(StopReason(ExitCode.STOPPED, problem), now)

    def _wake_at(self) -> float:
        return self.grace_ends if self.reasons else min(self.admission.wake_at, self.waits.ends_at)

    # -- the inbox

    async def receive(self) -> None:
        """Handle all messages that have arrived; without any, wait for one until something falls due."""
        inbox = self.channels.inbox
        try:
            self.handle(inbox.receive_nowait())
        except trio.WouldBlock:
            wake_at = self._wake_at()
            self.admission.timer.sleep(wake_at)
            with until(wake_at):
                self.handle(await inbox.receive())
        for message in queued(inbox):
            self.handle(message)

    def handle(self, message: Inbox) -> None:
        match message:
            case Written(batch):
                self._written(batch, trio.current_time())
            case Unsaved(batch):
                self.admission.unsaved(batch)
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
                self.admission.pacing.began(model)

    def _take(self, items: list[Pending | Finished]) -> None:
        self.requested = max(0, self.requested - len(items))
        for item in items:
            if not isinstance(item, Pending):
                self._record_failure(item)
            elif self.given_up.ended and self.given_up.is_ended(item, trio.current_time()):
                self._pass_over(item)
            else:
                self.admission.waiting.add(item)

    def _written(self, batch: list[Finished], now: float) -> None:
        results = self.admission.recorded(batch, now)
        if results:
            self.waits.recorded(batch, now)
            self.rules.quota.succeeded(results)

    def _interrupted(self, pending: Pending, *, sent: bool) -> None:
        self.admission.interrupted(pending, sent=sent)
        if sent:
            self.channels.events.send_nowait(AttemptFailed(None, attempt_usage(pending.job.request)))

    def _failed(self, message: Failed, now: float) -> None:
        admission, jitter = self.admission, self.rules.random()
        admission.failed(message, now, jitter)
        message = self.waits.failed(
            message,
            now,
            jitter,
            in_flight=admission.outstanding,
            is_outage=admission.circuit_breaker.is_open,
        )
        failure = message.failure
        lost = attempt_usage(message.pending.job.request) if failure.sent else NO_UNCONFIRMED_USAGE
        pending = message.pending.counted(failure, lost, resent=message.is_stale)
        verdict = RESEND if message.is_stale else self._verdict(message, pending, now)
        attempt = message.attempt(now, wait=verdict.after if isinstance(verdict, Retry) else None)
        self.channels.events.send_nowait(AttemptFailed(attempt, lost, failure.message))
        match verdict:
            case Retry(after, counts):
                pending = structs.replace(pending, failures=pending.failures + counts)
                admission.waiting.delay(pending, now + after)
            case GiveUp():
                self._give_up(pending, message, now)
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
        if self.admission.circuit_breaker.is_open:
            # The circuit breaker holds the job back: the failure is not the job's fault.
            return Retry(after=0.0, counts=False)
        if isinstance(verdict, Retry):
            return Retry(max(verdict.after, self.rules.quota.delay(now)), verdict.counts)
        return verdict

    def _record_failure(self, finished: Finished) -> None:
        self.admission.given_up()
        self.channels.results.send_nowait(finished)
        if (reason := self.rules.stop.failed()) is not None:
            self.stop(reason, trio.current_time())

    def _give_up(self, pending: Pending, message: Failed, now: float) -> None:
        finished, finding = self.given_up.judge(pending, message)
        self._record_failure(finished)
        if finding.reason is not None and finding.model is None:
            self.stop(finding.reason, now)
        if finding.model is not None and self.given_up.end(finding.model, message, finding, now):
            for other in self.admission.waiting.remove(finding.model):
                self._pass_over(other)

    def _pass_over(self, pending: Pending) -> None:
        """Do not send a job of an ended model."""
        if (finished := self.given_up.pass_over(pending)) is not None:
            self.admission.given_up()
            self.channels.results.send_nowait(finished)
        elif not self.reasons and self.given_up.is_only(len(self.admission.pacing.by_model)):
            self.stop(self.given_up.ended[pending.job.request.model], trio.current_time())

    def stop(self, reason: StopReason, now: float, *, at_once: bool = False) -> None:
        """Admit nothing more; what is in flight may finish within the grace period."""
        if not self.reasons:
            self.grace_ends = now + self.rules.stop_options.grace
        if at_once:
            self.grace_ends = now
        self.reasons.append(reason)
