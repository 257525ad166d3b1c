"""Play a scenario with a policy in virtual time, over the same transport and simulator as our engine."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Mapping
from itertools import count
from random import Random

import attrs
import msgspec
import trio
from trio.testing import MockClock

from headrace.dialects import make_dialect
from headrace.job import JobRequest
from headrace.policy.options import RequestOptions
from headrace.simulator import RequestLog, Simulator, in_memory_connector
from headrace_client.lowlevel import ConnectionPool, Origin, TransportError, open_pooled_sender
from tests.scenarios.scenario import EPOCH, Scenario

from .policies import SUCCESS, JobSize, Policy, Reply

_ORIGIN = Origin("http", "api.localhost", 80)
PATIENCE = 20
"""A policy is ended after this many times the ideal time."""


@attrs.frozen(kw_only=True)
class Played:
    """The outcome of a scenario. ``seconds``: virtual time until the last job ended."""

    finished: int
    seconds: float
    log: RequestLog


@attrs.define
class _Attempt:
    """A job to be sent. ``taken``: the number of attempts so far."""

    request: JobRequest
    job: JobSize
    taken: int = 0


def play_policy(policy: Policy, scenario: Scenario) -> Played:
    """Run a policy until every job has ended, or for `PATIENCE` times the ideal time."""
    return trio.run(_play, policy, scenario, clock=MockClock(autojump_threshold=0))


async def _play(policy: Policy, scenario: Scenario) -> Played:
    simulator = Simulator(scenario.profile, schedule=scenario.schedule, seed=scenario.seed, epoch=EPOCH)
    async with trio.open_nursery() as nursery:
        pool = ConnectionPool(connect=in_memory_connector(simulator, nursery))
        run = _Run(policy=policy, scenario=scenario, pool=pool)
        with trio.move_on_after(PATIENCE * scenario.ideal):
            await run.dispatch()
        seconds = trio.current_time()
        pool.close()
        nursery.cancel_scope.cancel()
    return Played(finished=run.finished, seconds=seconds, log=simulator.log)


@attrs.define(kw_only=True)
class _Run:
    policy: Policy
    scenario: Scenario
    pool: ConnectionPool
    finished: int = 0
    _in_flight: int = 0
    _headers: Mapping[str, str] = attrs.field(init=False)
    _fresh: Iterator[_Attempt] = attrs.field(init=False)
    _next: _Attempt | None = attrs.field(init=False)
    _again: list[tuple[float, int, _Attempt]] = attrs.field(factory=list[tuple[float, int, _Attempt]])
    _order: Iterator[int] = attrs.field(factory=count)
    _changed: trio.Event = attrs.field(factory=trio.Event)
    _random: Random = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._headers = make_dialect(self.scenario.dialect, RequestOptions()).headers("key")
        self._fresh = (_first_attempt(self.scenario.request(n)) for n in range(self.scenario.jobs))
        self._next = next(self._fresh, None)
        self._random = Random(self.scenario.seed)

    async def dispatch(self) -> None:
        """Send what may be sent now, then sleep until more may be sent or a response arrives."""
        async with trio.open_nursery() as nursery:
            while self._next or self._again or self._in_flight:
                wait, attempt = self._choose(trio.current_time())
                if wait <= 0 and attempt is not None:
                    self._in_flight += 1
                    nursery.start_soon(self._attempt, attempt, self.policy.sent(attempt.job))
                else:
                    with trio.move_on_after(wait):
                        await self._changed.wait()
                    self._changed = trio.Event()

    def _choose(self, now: float) -> tuple[float, _Attempt | None]:
        """Return the next attempt, taken out of its queue, or the seconds until there may be one."""
        is_turn = self.policy.holds_slots or self._next is None
        due_in = self._again[0][0] - now if self._again and is_turn else math.inf
        if due_in <= 0:
            wait = 0.0 if self.policy.holds_slots else self._wait(self._again[0][2], now)
            return (wait, None) if wait > 0 else (0.0, heapq.heappop(self._again)[2])
        if self._next is None or (wait := self._wait(self._next, now)) > due_in:
            return due_in, None
        if wait > 0:
            return wait, None
        attempt, self._next = self._next, next(self._fresh, None)
        return 0.0, attempt

    def _wait(self, attempt: _Attempt, now: float) -> float:
        waiting = len(self._again) if self.policy.holds_slots else 0
        return self.policy.wait(attempt.job, self._in_flight + waiting, now)

    async def _attempt(self, attempt: _Attempt, reserved: float) -> None:
        attempt.taken += 1
        reply = attrs.evolve(await self._send(attempt), reserved=reserved)
        now = trio.current_time()
        self._in_flight -= 1
        self.policy.answered(reply, now)
        if reply.status == SUCCESS:
            self.finished += 1
        else:
            after = self.policy.retry_after(reply, attempt.taken, now, self._random.random())
            if after is not None:
                heapq.heappush(self._again, (now + after, next(self._order), attempt))
        self._changed.set()

    async def _send(self, attempt: _Attempt) -> Reply:
        request, sent_at = attempt.request, trio.current_time()
        try:
            async with open_pooled_sender(self.pool, _ORIGIN, "POST", request.path, self._headers) as sender:
                response = await sender.send(request.body, retries_taken=attempt.taken - 1)
        except TransportError:
            return Reply(status=0, sent_at=sent_at, job=attempt.job)
        usage = _usage_of(response.body) if response.status == SUCCESS else _Usage()
        return Reply(
            status=response.status,
            headers=response.headers,
            sent_at=sent_at,
            job=attempt.job,
            input_tokens=usage.input_tokens + usage.cache_creation_input_tokens,
            output_tokens=usage.output_tokens,
        )


def _first_attempt(request: JobRequest) -> _Attempt:
    job = JobSize(characters=len(request.body), max_tokens=request.max_tokens or 0)
    return _Attempt(request=request, job=job)


class _Usage(msgspec.Struct):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int = 0


class _Body(msgspec.Struct):
    usage: _Usage


def _usage_of(body: bytes) -> _Usage:
    return msgspec.json.decode(body, type=_Body).usage
