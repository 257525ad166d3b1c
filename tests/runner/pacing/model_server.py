"""A small server that takes requests straight from `Pacing`: no sockets, no tasks, no real time.

It shares no code with `headrace.simulator`. Its clock jumps from one event to the next, so a minute at a
thousand requests per second takes a second or two.
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count

import attrs

from headrace.job import JobRequest, Usage
from headrace.pacing import Concurrency, Pacing
from headrace_client.lowlevel import Limit, RateLimits

SAMPLE_INTERVAL = 0.05
"""Seconds: the headers of a model's answers are read no more often. Those of a 429 always are."""


def request(model: str = "m", size: int = 200) -> JobRequest:
    """Return a request for a model; the jobs of these tests differ in nothing else."""
    return JobRequest(path="/v1/messages", body=b"x" * size, model=model, max_tokens=16, stream=False)


@attrs.define(kw_only=True)
class TokenBucket:
    """A limit of ``rate`` units per second that saves up to ``depth`` of them. A request takes ``cost``."""

    rate: float
    depth: float
    cost: float = 1.0
    resource: str = "requests"
    shows: bool = True
    """Whether the headers of answers, and those of its own 429s, report it."""
    level: float = attrs.field(init=False)
    at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.level = self.depth

    def refill(self, now: float) -> float:
        """Return the level at this time."""
        self.level = min(self.depth, self.level + (now - self.at) * self.rate)
        self.at = now
        return self.level

    def take(self, now: float) -> bool:
        """Take one request if there is room for it."""
        if self.refill(now) < self.cost - 1e-9:
            return False
        self.level -= self.cost
        return True

    def headers(self, now: float) -> RateLimits | None:
        """Return what the headers report at this moment."""
        if not self.shows:
            return None
        limit = Limit(round(self.rate * 60), max(0, math.floor(self.refill(now))))
        return RateLimits(**{self.resource: limit})


@attrs.frozen(kw_only=True)
class Stray:
    """A 429 for no reason: the first request at or after ``at`` gets it, whatever the limits say."""

    at: float
    retry_after: float | None = None
    has_headers: bool = False
    """Whether it carries the headers of an answer: they contradict it."""
    model: str | None = None


@attrs.frozen
class Response:
    """An answer or a 429. The headers of an answer are those of the moment at which it ends."""

    status: int
    retry_after: float | None = None
    headers: RateLimits | None = None


@attrs.define(kw_only=True)
class Server:
    """Answers after ``latency``, or refuses after ``distance``. ``limits``: by model, one may be shared."""

    limits: Mapping[str, Sequence[TokenBucket]] = attrs.field(factory=dict[str, Sequence[TokenBucket]])
    latency: float = 0.05
    distance: float = 0.0
    strays: list[Stray] = attrs.field(factory=list[Stray])
    retry_after: bool = True
    """Whether a 429 of a limit says how long to wait: whole seconds, rounded up."""
    answers: Counter[str] = attrs.field(factory=Counter[str])
    accepted_at: list[float] = attrs.field(factory=list[float])
    refused_at: list[float] = attrs.field(factory=list[float])

    def headers(self, model: str, now: float) -> RateLimits | None:
        """Return the headers of a response that is sent now."""
        shown = (bucket.headers(now) for bucket in self.limits.get(model, ()) if bucket.shows)
        return next(shown, None)

    def handle(self, model: str, now: float) -> tuple[float, Response]:
        """Return when the response arrives, and what it is."""
        buckets = self.limits.get(model, ())
        for stray in self.strays:
            if now >= stray.at and stray.model in {None, model}:
                self.strays.remove(stray)
                headers = self.headers(model, now) if stray.has_headers else None
                return now + self.distance, Response(429, stray.retry_after, headers)
        empty = next((bucket for bucket in buckets if bucket.refill(now) < bucket.cost - 1e-9), None)
        if empty is not None:
            self.refused_at.append(now)
            wait = float(math.ceil((empty.cost - empty.level) / empty.rate)) if self.retry_after else None
            return now + self.distance, Response(429, wait, self.headers(model, now))
        for bucket in buckets:
            bucket.take(now)
        self.accepted_at.append(now)
        return now + self.latency, Response(200)


@attrs.define(kw_only=True)
class Minute:
    """Jobs without end of each of ``models``, which take turns, against a `Server`."""

    server: Server
    pacing: Pacing = attrs.field(factory=lambda: Pacing(concurrency=Concurrency.found(8_192)))
    models: Sequence[str] = ("m",)
    jitter: float = 0.5
    now: float = 0.0
    answered: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    refused: list[tuple[float, str]] = attrs.field(factory=list[tuple[float, str]])
    watch: Callable[[Minute, float], None] | None = None
    _flight: list[tuple[float, int, JobRequest, float, Response]] = attrs.field(
        factory=list[tuple[float, int, JobRequest, float, Response]]
    )
    _turns: list[str] = attrs.field(factory=list[str])
    _sampled: dict[str, float] = attrs.field(factory=dict[str, float])

    def play(self, until: float) -> Minute:
        """Send jobs and take responses until the time has come."""
        numbers, now = count(), self.now
        requests = {model: request(model) for model in self.models}
        while now < until:
            while self._flight and self._flight[0][0] <= now:
                self._take(*heapq.heappop(self._flight))
            wake_at = self._admit(requests, numbers, now)
            due = self._flight[0][0] if self._flight else math.inf
            now = max(now, min(due, wake_at, until))
        return self

    def between(self, start: float, end: float, model: str | None = None) -> int:
        """Return the number of answers in a span of time."""
        return sum(start <= at < end and model in {None, of} for at, of in self.answered)

    def _admit(self, requests: dict[str, JobRequest], numbers: count[int], now: float) -> float:
        pacing, wake_at = self.pacing, math.inf
        models = list(self._turns or dict.fromkeys(self.models))
        while models:
            if (at := pacing.slot_at(len(self._flight), now)) > now:
                return min(wake_at, at)
            model = models.pop(0)
            limits, job = pacing.for_model(model, now), requests[model]
            if (at := limits.ready_at(job, now)) > now:
                wake_at = min(wake_at, at)
                continue
            models.append(model)
            self._turns = [*(turn for turn in self._turns or self.models if turn != model), model]
            size = max(1, min(pacing.concurrency.cap - len(self._flight), limits.granted))
            limits.admitted([job] * size, now)
            for _ in range(size):
                arrival, response = self.server.handle(model, now)
                heapq.heappush(self._flight, (arrival, next(numbers), job, now, response))
        pacing.concurrency.left_room()
        return wake_at

    def _take(self, now: float, _: int, job: JobRequest, started_at: float, response: Response) -> None:
        if response.status == 200:
            self.answered.append((now, job.model))
            headers = None
            if now >= self._sampled.get(job.model, now):
                self._sampled[job.model] = now + SAMPLE_INTERVAL
                headers = self.server.headers(job.model, now)
            latency, usage = now - started_at, Usage(input=len(job.body) // 4, output=2)
            self.pacing.succeeded(job, usage, headers, started_at=started_at, latency=latency, now=now)
        else:
            self.refused.append((now, job.model))
            self.pacing.refused(
                job,
                None,
                response.headers,
                started_at=started_at,
                retry_after=response.retry_after,
                others=len(self._flight),
                now=now,
                jitter=self.jitter,
            )
        if self.watch is not None:
            self.watch(self, now)
