"""Admission: which job is sent next, and when. Pure.

1. It is the half of the dispatcher that knows the rules: it asks pacing, the circuit breaker and the budget
   before it admits a job, and reports to them how each job ended. It neither waits nor sends.
2. `Admission.outstanding` changes only here: up when a job is admitted or given up on, down when its record
   is on disk or its attempt comes back without a success.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import attrs
from msgspec import structs

from headrace.job import Success
from headrace.pacing import Bottleneck, Pacing
from headrace.policy.budget import Budget
from headrace.policy.circuit_breaker import CircuitBreaker
from headrace.policy.retry import OUTAGE_KINDS
from headrace.policy.standstill import Hold

from ._queue import Waiting
from .messages import Failed, Finished, Load, Pending

MIN_DEMAND = 64
"""Jobs requested from the reader at a time, at least: fewer would cost a message each for little work."""
LOOK_AHEAD = 1_000
"""Jobs to read ahead while the only known model is held back by its limits: some may be of another model."""
MAX_WAITING = 10_000
"""Waiting jobs, in addition to the cap, beyond which none are read from the input: it bounds memory."""
_MIN_DELAY = 0.005
"""Seconds: a wake-up that is at least this late counts as time lost by this process."""


@attrs.define
class BottleneckTimer:
    """For how long each resource has been what kept the next job from being sent. Times in seconds.

    The time between two wake-ups of the dispatcher counts for what was the bottleneck at the first of them.
    """

    bottleneck: Bottleneck = "source"
    seconds: defaultdict[Bottleneck, float] = attrs.field(
        factory=lambda: defaultdict[Bottleneck, float](float)
    )
    _sleeps_until: float = math.inf
    _woken_at: float | None = None

    def sleep(self, until: float) -> None:
        """Note that the dispatcher waits for a message, or for a time."""
        self._sleeps_until = until

    def wake(self, now: float) -> None:
        """Note that the dispatcher is about to admit jobs."""
        if self._woken_at is not None:
            delay = now - max(self._sleeps_until, self._woken_at)
            delay = delay if delay > _MIN_DELAY else 0.0
            self.seconds["client"] += delay
            self.seconds[self.bottleneck] += now - self._woken_at - delay
        self._woken_at = now
        self._sleeps_until = math.inf


@attrs.define(kw_only=True)
class Admission:
    """The waiting jobs, and what they wait for. Times in seconds on the event loop's clock."""

    pacing: Pacing
    circuit_breaker: CircuitBreaker
    budget: Budget | None
    waiting: Waiting = attrs.field(factory=Waiting)
    timer: BottleneckTimer = attrs.field(factory=BottleneckTimer)
    outstanding: int = 0
    """Jobs admitted, and records to be written (see rule 2)."""
    unaffordable: str | None = None
    """Why the budget admits no waiting job, once nothing is in flight that may free a part of it."""
    _ready_at: float = math.inf
    """When another job may be admitted, unless something happens first."""

    # -- admitting jobs

    def wake(self, now: float) -> None:
        """Begin a round of admission: delayed jobs that are due wait for their turn again."""
        self.timer.wake(now)
        self.waiting.release(now)

    def take(self, now: float) -> list[Pending]:
        """Admit jobs, all of one model; none: nothing before `wake_at`."""
        while (model := self._choose(now)) is not None:
            taken = self.waiting.take(model, self._batch_size(model))
            taken = [pending for pending in taken if not pending.job.is_withdrawn]
            if taken:
                return self._admitted(model, taken, now)
        return []

    def settle(self) -> None:
        """End a round of admission: every job has been admitted that may be sent now."""
        if self.outstanding < self.pacing.concurrency.cap:
            self.pacing.concurrency.left_room()

    @property
    def wake_at(self) -> float:
        """When the next round of admission may have a job to admit, unless something happens first."""
        return min(self._ready_at, self.waiting.due_at)

    def demand(self) -> int:
        """Return how many more jobs to request from the reader; 0 while enough are waiting."""
        waiting, cap = self.waiting, self.pacing.concurrency.cap
        if len(waiting) >= MAX_WAITING + cap:
            return 0
        wanted = cap
        if self.outstanding < cap:
            # A limit is the bottleneck. The next lines may be of another model, one that has room.
            wanted = MAX_WAITING if len(self.pacing.by_model) > 1 else max(cap, LOOK_AHEAD)
        return max(MIN_DEMAND, 2 * cap) if waiting.ready < wanted else 0

    def _choose(self, now: float) -> str | None:
        """Find a model whose next job may be sent now; else note the bottleneck, and until when it is one."""
        self._ready_at = math.inf
        if not self.waiting.ready:
            self.timer.bottleneck = "server" if self.waiting.delayed else "source"
            return None
        if (at := self.pacing.slot_at(self.outstanding, now)) > now:
            self._ready_at, self.timer.bottleneck = at, "concurrency"
            return None
        if (at := self.circuit_breaker.ready_at(now)) > now:
            self._ready_at, self.timer.bottleneck = at, "server"
            return None
        for model, pending in self.waiting.first():
            if not self._is_affordable(pending):
                continue
            limits = self.pacing.for_model(model, now)
            at = limits.ready_at(pending.job.request, now)
            if at <= now:
                return model
            if at <= self._ready_at:
                self._ready_at, self.timer.bottleneck = at, limits.bottleneck
        return None

    def hold(self, now: float) -> Hold | None:
        """Return what keeps all waiting jobs waiting after a round of admission.

        None if one is in flight, none waits, or the budget is what keeps them.
        """
        if self.outstanding or not len(self.waiting) or self.unaffordable is not None:
            return None
        probe_at = self.circuit_breaker.ready_at(now)
        holds: list[Hold] = []
        if (pending := self.waiting.first_due()) is not None:
            due = max(probe_at, self.waiting.due_at)
            holds.append(Hold(until=due, cause="retry", model=pending.job.request.model))
        for model, pending in self.waiting.first():
            if probe_at > now:
                holds.append(Hold(until=probe_at, cause="circuit breaker", model=model))
            else:
                holds.append(self._hold_of(model, pending, now))
        return min(holds, key=lambda hold: hold.until)

    def _hold_of(self, model: str, pending: Pending, now: float) -> Hold:
        limits = self.pacing.for_model(model, now)
        at, cooldown_until = limits.ready_at(pending.job.request, now), limits.cooldown.until
        stated = self.pacing.stated
        own = {"requests": stated.rpm, "input": stated.itpm, "output": stated.otpm}
        if limits.bottleneck in own and at > cooldown_until:
            is_own = own[limits.bottleneck] is not None or stated.share < 1
            cause = "own limit" if is_own and cooldown_until <= now else "limit"
            return Hold(until=at, cause=cause, model=model, limit=limits.bottleneck)
        return Hold(
            until=at, cause="cooldown" if cooldown_until > now else "limit", model=model, limit="rate"
        )

    def _is_affordable(self, pending: Pending) -> bool:
        if self.budget is None or self.budget.fits(pending.job.request):
            return True
        self.timer.bottleneck = "client"
        if self.outstanding == 0:
            self.unaffordable = self.budget.refusal(pending.job.request)
        return False

    def _batch_size(self, model: str) -> int:
        """Return how many jobs may be sent without a check of each: one, or as many as pacing has granted."""
        if self.budget is not None or self.circuit_breaker.is_open:
            return 1
        room = self.pacing.concurrency.cap - self.outstanding
        return max(1, min(room, self.pacing.by_model[model].granted))

    def _admitted(self, model: str, taken: list[Pending], now: float) -> list[Pending]:
        limits, requests = self.pacing.by_model[model], [pending.job.request for pending in taken]
        if limits.warm_cache_first:
            taken = [structs.replace(pending, warms_cache=True) for pending in taken]
        self.outstanding += len(taken)
        limits.admitted(requests, now)
        self.circuit_breaker.admitted(now)
        if self.budget is not None:
            self.budget.admitted(requests[0])
        return taken

    # -- how jobs end

    def recorded(self, batch: Sequence[Finished], now: float) -> int:
        """Note that records are on disk; return how many of them are results."""
        self.outstanding -= len(batch)
        results = 0
        for finished in batch:
            success, request = finished.outcome, finished.request
            if request is None or not isinstance(success, Success):
                continue
            results += 1
            if self.budget is not None:
                self.budget.succeeded(request, success.usage)
            self.pacing.succeeded(
                request,
                success.usage,
                finished.limits,
                started_at=finished.started_at,
                latency=finished.note.latency_s or 0.0,
                now=now,
            )
        if results:
            self.circuit_breaker.responded()
        return results

    def unsaved(self, batch: Sequence[Finished]) -> None:
        """Note that records could not be written."""
        self.outstanding -= len(batch)

    def given_up(self) -> None:
        """Note that the record of a failed job, or of a line that cannot be parsed, is to be written."""
        self.outstanding += 1

    def failed(self, message: Failed, now: float, jitter: float) -> None:
        """Note a failed attempt. ``jitter``: in [0, 1)."""
        failure, request = message.failure, message.pending.job.request
        self.outstanding -= 1
        if message.is_stale:
            self.circuit_breaker.interrupted()
        elif failure.kind in OUTAGE_KINDS or failure.kind == "overloaded":
            self.circuit_breaker.failed(message.pending.job.id, message.started_at, now)
        else:
            self.circuit_breaker.responded()
        if self.budget is not None:
            self.budget.failed(request, maybe_billed=failure.sent)
        if message.is_stale:
            self.pacing.interrupted(request)
            return
        refusals = message.pending.refusals
        if failure.kind != "rate_limit" or (refusals is not None and refusals.is_about_the_job):
            kind = "overloaded" if failure.kind == "rate_limit" else failure.kind  # the quota is not used
            self.pacing.failed(request, kind, message.limits, started_at=message.started_at, now=now)
            return
        self.pacing.refused(
            request,
            failure.code,
            message.limits,
            started_at=message.started_at,
            retry_after=message.retry_after,
            others=self.outstanding,
            now=now,
            jitter=jitter,
        )

    def interrupted(self, pending: Pending, *, sent: bool) -> None:
        """Note that this process cancelled a job; ``sent``: its request may have been sent."""
        self.outstanding -= 1
        self.circuit_breaker.interrupted()
        self.pacing.interrupted(pending.job.request)
        if self.budget is not None:
            self.budget.failed(pending.job.request, maybe_billed=sent)

    def load(self) -> Load:
        """Return the state at this moment, for the monitor."""
        cost = None if self.budget is None else self.budget.spent
        return Load(
            self.outstanding,
            len(self.waiting),
            self.pacing.concurrency.cap,
            self.timer.bottleneck,
            dict(self.timer.seconds),
            cost,
        )
