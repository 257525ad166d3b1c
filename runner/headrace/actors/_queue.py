"""The dispatcher's queues, and whether jobs have waited in them for too long. Pure.

Jobs wait for their turn, by model, or for a time.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator, Sequence

import attrs
from msgspec import structs

from headrace.policy.refusals import refused_again
from headrace.policy.retry import OUTAGE_KINDS, THROTTLING_KINDS
from headrace.policy.standstill import Hold, Standstill

from .messages import Failed, Finished, Pending


@attrs.define
class Waiting:
    """Jobs to be sent. Each model has its own queue, so that one at its limit does not block the others."""

    _queues: dict[str, deque[Pending]] = attrs.field(factory=dict[str, deque[Pending]])
    """By model, in order of turn. None of them is empty."""
    _delayed: list[tuple[float, int, Pending]] = attrs.field(factory=list[tuple[float, int, Pending]])
    """A heap by due time; the number keeps equal times in order."""
    _delays: int = 0
    ready: int = 0
    """Jobs in the queues. Stored for speed: it is read at every admission."""

    def __len__(self) -> int:
        return self.ready + len(self._delayed)

    def __iter__(self) -> Iterator[Pending]:
        """Yield all waiting jobs, in no particular order."""
        for queue in self._queues.values():
            yield from queue
        for _, _, pending in self._delayed:
            yield pending

    @property
    def delayed(self) -> int:
        """Jobs that wait for a time."""
        return len(self._delayed)

    @property
    def due_at(self) -> float:
        """When the first delayed job is due, in seconds on the event loop's clock; infinity without any."""
        return self._delayed[0][0] if self._delayed else math.inf

    def first_due(self) -> Pending | None:
        """Return the delayed job that is due first; None without any."""
        return self._delayed[0][2] if self._delayed else None

    def add(self, pending: Pending) -> None:
        """Put a new job at the end of its model's queue."""
        self._queue_of(pending).append(pending)

    def delay(self, pending: Pending, due: float) -> None:
        """Hold a job back until ``due``; then it goes before those that were never sent."""
        self._delays += 1
        heapq.heappush(self._delayed, (due, self._delays, pending))

    def release(self, now: float) -> None:
        """Put the delayed jobs that are due at the front of their queues.

        But one that was refused more than once lets others go first (see `Refusals.place`).
        """
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            pending = heapq.heappop(delayed)[2]
            refusals = pending.refusals
            self._queue_of(pending).insert(0 if refusals is None else refusals.place, pending)

    def first(self) -> Iterator[tuple[str, Pending]]:
        """Yield each model with its next job, in order of turn."""
        for model, queue in self._queues.items():
            yield model, queue[0]

    def take(self, model: str, count: int) -> list[Pending]:
        """Take up to ``count`` jobs of a model; it is then the last model in turn."""
        queue = self._queues[model]
        taken = [queue.popleft() for _ in range(min(count, len(queue)))]
        self.ready -= len(taken)
        if not queue:
            del self._queues[model]
        elif len(self._queues) > 1:
            self._queues[model] = self._queues.pop(model)
        return taken

    def remove(self, model: str) -> list[Pending]:
        """Take out all jobs of a model that are ready, and return them."""
        queue = self._queues.pop(model, deque[Pending]())
        self.ready -= len(queue)
        return list(queue)

    def _queue_of(self, pending: Pending) -> deque[Pending]:
        self.ready += 1
        model = pending.job.request.model
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = deque[Pending]()
        return queue


@attrs.define(kw_only=True)
class Waits:
    """Watches the standstill of a run, and the jobs that are refused again and again. Times in seconds."""

    waiting: Waiting
    max_wait: float
    ends_at: float = math.inf
    """When the run has to stop, unless something happens before. As of the last `problem`."""
    _standstill: Standstill = attrs.field(
        default=attrs.Factory(lambda self: Standstill(max_wait=self.max_wait), takes_self=True)
    )
    _results_at: dict[str, float] | None = None
    """When a job last succeeded, by model. None until a job is refused: until then nothing needs it."""

    def problem(self, hold: Hold | None, now: float, *, in_flight: int, expects_jobs: bool) -> str | None:
        """Say why the run has to stop; None if it may continue until `ends_at`.

        ``hold``: what keeps all jobs waiting after a round of admission. ``expects_jobs``: the input may
        bring another one at any time.
        """
        self.ends_at = self._standstill.ends_at(
            hold,
            now,
            in_flight=in_flight,
            expects_jobs=expects_jobs,
            are_singled_out=self._are_singled_out,
        )
        return self._standstill.message(hold, now) if self.ends_at <= now else None

    def recorded(self, batch: Sequence[Finished], now: float) -> None:
        """Note records on disk, of which at least one is a result."""
        self._standstill.progressed()
        if self._results_at is not None:
            for finished in batch:
                if finished.success is not None and finished.request is not None:
                    self._results_at[finished.request.model] = now

    def failed(
        self, message: Failed, now: float, jitter: float, *, in_flight: int, is_outage: bool
    ) -> Failed:
        """Note a failed attempt, and return it with the refusals of its job. ``jitter``: in [0, 1).

        If these have been too many, the job is not retried. ``is_outage``: the circuit breaker is open.
        """
        if message.is_stale:
            return message
        failure, model = message.failure, message.pending.job.request.model
        self._standstill.failed(model, failure.message)
        is_refusal = failure.kind in THROTTLING_KINDS
        if is_refusal or failure.kind in OUTAGE_KINDS:
            self._standstill.refused(
                is_single=not is_refusal and not is_outage,
                started_at=message.started_at,
                in_flight=in_flight,
                now=now,
            )
        else:
            self._standstill.progressed()
        return self._refused(message, now, jitter) if is_refusal else message

    def _refused(self, message: Failed, now: float, jitter: float) -> Failed:
        if self._results_at is None:
            self._results_at = {}
        last_result = self._results_at.get(message.pending.job.request.model, -math.inf)
        refusals = refused_again(message.pending.refusals, now, last_result)
        message = structs.replace(message, pending=structs.replace(message.pending, refusals=refusals))
        if refusals.is_final(now, self.max_wait):
            return structs.replace(
                message, failure=refusals.explained(message.failure, now), should_retry=False
            )
        if refusals.others_succeeded:
            delay = max(message.retry_after or 0.0, refusals.delay(self.max_wait, jitter))
            return structs.replace(message, retry_after=delay)
        return message

    def _are_singled_out(self) -> bool:
        """Return whether all waiting jobs are refused while others of their model succeed."""
        histories = (pending.refusals for pending in self.waiting)
        return all(refusals is not None and refusals.others_succeeded for refusals in histories)
