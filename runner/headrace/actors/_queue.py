"""The dispatcher's queues: jobs that wait for their turn, by model, and jobs that wait for a time. Pure."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator

import attrs

from .messages import Pending


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

        But one that is refused while others succeed is not the first to be sent: it would be the probe, and
        refused again.
        """
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            pending = heapq.heappop(delayed)[2]
            refusals = pending.refusals
            place = 1 if refusals is not None and refusals.others_succeeded else 0
            self._queue_of(pending).insert(place, pending)

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
