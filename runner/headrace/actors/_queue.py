"""The jobs that wait in the dispatcher: by model, in order, and those that wait for a time of their own."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Iterator

import attrs

from .messages import Pending


@attrs.define
class Waiting:
    """Jobs to be sent. A model's jobs go in order, so that a model whose limit binds keeps up no other."""

    _queues: dict[str, deque[Pending]] = attrs.field(factory=dict[str, deque[Pending]])
    _delayed: list[tuple[float, int, Pending]] = attrs.field(factory=list[tuple[float, int, Pending]])
    """A heap by due time; the number keeps equal times in order."""
    _delays: int = 0
    ready: int = 0
    """Jobs that wait for nothing but their turn."""

    def __len__(self) -> int:
        return self.ready + len(self._delayed)

    @property
    def delayed(self) -> int:
        """Jobs that wait for a time of their own."""
        return len(self._delayed)

    @property
    def due_at(self) -> float:
        """When the first of them will be ready."""
        return self._delayed[0][0] if self._delayed else math.inf

    def add(self, pending: Pending) -> None:
        """Put a new job behind the others."""
        self._queue_of(pending).append(pending)

    def delay(self, pending: Pending, due: float) -> None:
        """Keep a job back until ``due``; then it goes before those that were never sent."""
        self._delays += 1
        heapq.heappush(self._delayed, (due, self._delays, pending))

    def release(self, now: float) -> None:
        """Make ready what is due."""
        delayed = self._delayed
        while delayed and delayed[0][0] <= now:
            pending = heapq.heappop(delayed)[2]
            self._queue_of(pending).appendleft(pending)

    def first(self) -> Iterator[tuple[str, Pending]]:
        """The next job of each model."""
        for model, queue in self._queues.items():
            yield model, queue[0]

    def take(self, model: str, most: int) -> list[Pending]:
        """Take the next jobs of a model, ``most`` at most; the model goes to the end of the line."""
        queue = self._queues[model]
        taken = [queue.popleft() for _ in range(min(most, len(queue)))]
        self.ready -= len(taken)
        if not queue:
            del self._queues[model]
        elif len(self._queues) > 1:
            self._queues[model] = self._queues.pop(model)
        return taken

    def _queue_of(self, pending: Pending) -> deque[Pending]:
        self.ready += 1
        model = pending.job.request.model
        queue = self._queues.get(model)
        if queue is None:
            queue = self._queues[model] = deque[Pending]()
        return queue
