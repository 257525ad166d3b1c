"""Which job is sent next, and when: asks the pacing, the breaker and the budget, and tells them what came.

The dispatcher's half that knows the rules; it neither waits nor sends.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import attrs
from msgspec import structs

from headrace.job import Usage
from headrace.pacing import Pacing
from headrace.policy.budget import Budget
from headrace.policy.circuit_breaker import CircuitBreaker
from headrace.policy.retry import OUTAGE_KINDS

from ._binding import BottleneckTimer
from ._queue import Waiting
from .messages import Failed, Finished, Load, Pending

_NO_USAGE = Usage()


@attrs.define(kw_only=True)
class Admission:
    """The jobs that wait, and what they wait for. ``outstanding``: sent, and not yet recorded or failed."""

    pacing: Pacing
    circuit_breaker: CircuitBreaker
    budget: Budget | None
    waiting: Waiting = attrs.field(factory=Waiting)
    timer: BottleneckTimer = attrs.field(factory=BottleneckTimer)
    outstanding: int = 0
    ready_at: float = math.inf
    """When the next admission may be possible, as far as time decides."""
    unaffordable: str | None = None
    """Why no waiting job can be paid for, when nothing is in flight that could come cheaper than feared."""

    def take(self, now: float) -> list[Pending]:
        """Take jobs to be sent now, all of one model; none: nothing before `ready_at`."""
        while (model := self._choose(now)) is not None:
            taken = self.waiting.take(model, self._at_once(model))
            taken = [pending for pending in taken if not pending.job.is_withdrawn]
            if taken:
                return self._admitted(model, taken, now)
        return []

    def _at_once(self, model: str) -> int:
        """Return how many jobs may go without a look at each: one, or as many as the pacing has granted."""
        if self.budget is not None or self.circuit_breaker.is_open:
            return 1
        room = self.pacing.concurrency.cap - self.outstanding
        return max(1, min(room, self.pacing.by_model[model].granted))

    def _admitted(self, model: str, taken: list[Pending], now: float) -> list[Pending]:
        pool, requests = self.pacing.by_model[model], [pending.job.request for pending in taken]
        if pool.warm_cache_first:
            taken = [structs.replace(pending, warms_cache=True) for pending in taken]
        self.outstanding += len(taken)
        pool.admitted(requests, now)
        self.circuit_breaker.admitted(now)
        if self.budget is not None:
            self.budget.admitted(requests[0])
        return taken

    def settle(self) -> None:
        """Note that all was admitted that may be sent now."""
        if self.outstanding < self.pacing.concurrency.cap:
            self.pacing.concurrency.left_room()

    def _choose(self, now: float) -> str | None:
        """Find a model whose next job may be sent now; else note what that waits for, and until when."""
        self.ready_at = math.inf
        if not self.waiting.ready:
            self.timer.bottleneck = "server" if self.waiting.delayed else "source"
            return None
        if (at := self.pacing.slot_at(self.outstanding, now)) > now:
            self.ready_at, self.timer.bottleneck = at, "concurrency"
            return None
        if (at := self.circuit_breaker.ready_at(now)) > now:
            self.ready_at, self.timer.bottleneck = at, "server"
            return None
        for model, pending in self.waiting.first():
            if not self._can_pay(pending):
                continue
            pool = self.pacing.for_model(model, now)
            at = pool.ready_at(pending.job.request, now)
            if at <= now:
                return model
            if at <= self.ready_at:
                self.ready_at, self.timer.bottleneck = at, pool.bottleneck
        return None

    def _can_pay(self, pending: Pending) -> bool:
        if self.budget is None or self.budget.fits(pending.job.request):
            return True
        self.timer.bottleneck = "client"
        if self.outstanding == 0:
            self.unaffordable = self.budget.refusal(pending.job.request)
        return False

    def answered(self, results: Sequence[Finished], now: float) -> None:
        """Note results."""
        self.circuit_breaker.responded()
        for finished in results:
            request, usage = finished.request, finished.usage or _NO_USAGE
            if request is None:
                continue
            if self.budget is not None:
                self.budget.succeeded(request, usage)
            self.pacing.succeeded(
                request,
                usage,
                finished.limits,
                started_at=finished.started_at,
                latency=finished.latency or 0.0,
                now=now,
            )

    def failed(self, message: Failed, now: float, jitter: float) -> None:
        """Note a failed attempt, whose job is no longer outstanding. ``jitter``: in [0, 1)."""
        failure, request = message.failure, message.pending.job.request
        if failure.kind in OUTAGE_KINDS or failure.kind == "overloaded":
            self.circuit_breaker.failed(message.pending.job.id, message.started_at, now)
        else:
            self.circuit_breaker.responded()
        if self.budget is not None:
            self.budget.failed(request, maybe_billed=failure.sent)
        if failure.kind != "rate_limit":
            self.pacing.failed(request, failure.kind, message.limits, started_at=message.started_at, now=now)
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
        """Note that a job was cut off by us."""
        self.circuit_breaker.interrupted()
        self.pacing.interrupted(pending.job.request)
        if self.budget is not None:
            self.budget.failed(pending.job.request, maybe_billed=sent)

    def load(self) -> Load:
        """The state of things, for the statistics."""
        cost = None if self.budget is None else self.budget.spent
        return Load(
            self.outstanding,
            len(self.waiting),
            self.pacing.concurrency.cap,
            self.timer.bottleneck,
            dict(self.timer.seconds),
            cost,
        )
