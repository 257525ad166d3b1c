"""Runs of the whole engine against the simulator in virtual time: how long they take, how often they fail.

The ideal time is that of a client that knows the limits: each bucket is full at the beginning, so a demand
of ``total`` is met when ``depth + inflow`` has reached it; the last job to be admitted then takes a mean
latency.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from random import Random

import attrs
import msgspec
import trio
from trio.testing import MockClock

from headrace._runner import Outcome, Setup, supervise
from headrace.actors._messages import Pending, Stop
from headrace.actors.dispatcher import Rules
from headrace.actors.worker import Exchange
from headrace.dialects import RequestOptions, make_dialect
from headrace.job import Job, JobRequest
from headrace.money import Budget
from headrace.pacing import Concurrency, Pacing
from headrace.retrying import RunRetryPolicy
from headrace.simulator import (
    Limit,
    Limits,
    Profile,
    Ramp,
    RequestLog,
    Schedule,
    Simulator,
    in_memory_connector,
)
from headrace.simulator._buckets import Bucket, Slope
from headrace.stopping import StopRules
from headrace_client import AsyncAPIClient
from headrace_client.transport import ConnectionPool

EPOCH = 1_767_225_600.0
AMPLE = Limit(per_minute=1e9)
PATHS = {"anthropic": "/v1/messages", "openai": "/v1/chat/completions"}


def auto() -> Pacing:
    """What a run without a flag paces by."""
    return Pacing(concurrency=Concurrency.found(8_192))


@attrs.frozen(kw_only=True)
class Scenario:
    """A server and a file. ``ideal``: seconds; ``models``: each job's model is drawn from these in turn."""

    profile: Profile
    jobs: int
    ideal: float
    schedule: Schedule = ()
    dialect: str = "anthropic"
    prompt: str = "question"
    system: object = None
    max_tokens: int = 64_000
    models: tuple[str, ...] = ("m",)
    seed: int = 0
    pacing: Callable[[], Pacing] = auto
    max_wait: float = 600.0
    budget: Budget | None = None

    def request(self, number: int) -> JobRequest:
        """The request of one job."""
        model = self.models[number % len(self.models)]
        body: dict[str, object] = {
            "model": model,
            "max_tokens": self.max_tokens,
            "messages": [{"role": "user", "content": f"{self.prompt} {number}"}],
        }
        if self.system is not None:
            body["system"] = self.system
        return JobRequest(
            id=f"job-{number}",
            path=PATHS[self.dialect],
            body=msgspec.json.encode(body),
            model=model,
            max_tokens=self.max_tokens,
            stream=False,
        )


@attrs.frozen(kw_only=True)
class Report:
    """What came of a scenario."""

    seconds: float
    outcome: Outcome
    log: RequestLog
    pacing: Pacing
    finished: int

    @property
    def refused(self) -> int:
        """429 answers."""
        return self.log.statuses[429]


def play(scenario: Scenario) -> Report:
    """Run a scenario to its end in virtual time."""
    return trio.run(_play, scenario, clock=MockClock(autojump_threshold=0))


async def _play(scenario: Scenario) -> Report:
    simulator = Simulator(scenario.profile, schedule=scenario.schedule, seed=scenario.seed, epoch=EPOCH)
    dialect = make_dialect(scenario.dialect, RequestOptions())
    pacing, sink = scenario.pacing(), _Sink()
    pacing.reserves_output = scenario.dialect == "openai"
    async with trio.open_nursery() as nursery:
        pool = ConnectionPool(connect=in_memory_connector(simulator, nursery))
        client = AsyncAPIClient(
            version="0", base_url="http://api.localhost", pool=pool, _strict_response_validation=False
        )
        outcome = await supervise(
            Setup(
                source=_Numbers(scenario.jobs),
                item_of=lambda number, now: _pending(scenario.request(number), now),
                exchange=Exchange(
                    client=client,
                    dialect=dialect,
                    headers=dialect.headers("key"),
                    recipe="",
                    wall_clock=lambda: EPOCH + trio.current_time(),
                ),
                rules=Rules(
                    pacing=pacing,
                    retry=RunRetryPolicy(),
                    stop=StopRules(),
                    dice=Random(scenario.seed).random,
                    max_wait=scenario.max_wait,
                    budget=scenario.budget,
                ),
                output=sink,
                stops=_no_stops(),
            )
        )
        seconds = trio.current_time()
        pool.close()
        nursery.cancel_scope.cancel()
    return Report(
        seconds=seconds, outcome=outcome, log=simulator.log, pacing=pacing, finished=outcome.snapshot.results
    )


@attrs.frozen
class _Numbers:
    _count: int

    def pieces(self) -> AsyncIterator[range]:
        return _Pieces(iter([range(self._count)]))


@attrs.frozen
class _Pieces:
    _ranges: Iterator[range]

    def __aiter__(self) -> _Pieces:
        return self

    async def __anext__(self) -> range:
        for numbers in self._ranges:
            return numbers
        raise StopAsyncIteration


def _pending(request: JobRequest, now: float) -> Pending:
    job = Job(id=request.id or "", line=1, source=None, digest="", request=request)
    return Pending(job=job, read_at=now)


async def _no_stops() -> AsyncGenerator[Stop]:
    await trio.sleep_forever()
    yield  # pragma: no cover


class _Sink:
    def append_results(self, data: bytes) -> None:
        """Take records that nobody reads."""

    def append_errors(self, data: bytes) -> None:
        """Take records that nobody reads."""


def limits(
    *,
    requests: Limit = AMPLE,
    tokens_in: Limit = AMPLE,
    tokens_out: Limit = AMPLE,
) -> Limits:
    """Limits of which only the named ones can bind."""
    return Limits(requests=requests, input=tokens_in, output=tokens_out)


def per_second(rate: float, *, burst: float | None = None, others: float = 0.0) -> Limit:
    """A limit of so many a second; its bucket holds a second's worth unless said otherwise."""
    return Limit(per_minute=rate * 60, burst=rate if burst is None else burst, others=others)


def flow_time(limit: Limit, total: float) -> float:
    """The seconds until a full bucket has let through ``total``."""
    return max(0.0, total - limit.depth) / (limit.per_minute / 60 * (1 - limit.others))


def stepped_time(steps: Mapping[float, float], total: float, depth: float) -> float:
    """The same for a rate a second that changes at each of the times."""
    left, starts = total - depth, sorted(steps)
    for start, end in zip(starts, [*starts[1:], float("inf")], strict=True):
        through = steps[start] * (end - start) if end < float("inf") else left
        if through >= left:
            return start + left / steps[start]
        left -= through
    raise AssertionError("the last rate lasts for ever")


def ramped_time(limit: Limit, ramp: Ramp, total: int) -> float:
    """The same under a bounded rise, by trying every 5 ms: nobody who does not know the bound gets there."""
    slope, bucket, now = Slope(0.0), Bucket.full(limit, 0.0), 0.0
    while total:
        if bucket.wait(1, now) == 0 and slope.admit(ramp, now):
            bucket.take(1, now)
            total -= 1
        else:
            now += 0.005
    return now
