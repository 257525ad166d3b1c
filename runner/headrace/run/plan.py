"""`headrace plan`: the run of a file, rehearsed in virtual time against the simulator.

The reader, the dispatcher, pacing and the workers are those of a real run. Only the sender is replaced: it
calls the simulated service without HTTP in between. Nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio
from msgspec import structs

from headrace._exceptions import BadLine, RunRefused
from headrace.actors.messages import Pending
from headrace.actors.rules import Rules
from headrace.actors.statistics import Snapshot
from headrace.actors.supervisor import Setup, relaxed_garbage_collection, supervise
from headrace.actors.worker import OnData
from headrace.dialects import Dialect
from headrace.input.files import Inputs
from headrace.input.lines import InputLine
from headrace.job import PreparedJob
from headrace.output.opened_output import NoOutput
from headrace.policy.options import Limits, RetryOptions, RunOptions, StopOptions
from headrace.policy.prices import PriceList, own_prices
from headrace.run.assembly import attempt_settings, build_rules, no_stops
from headrace.run.assumptions import Assumptions
from headrace.run.format import cost_text, duration_text
from headrace.run.preparation import SIMULATOR, prepare
from headrace.run.summary import bottlenecks
from headrace.simulator import BucketLimit, Profile, ProviderLimits, RequestLog, Simulator
from headrace_client.lowlevel import Response

_EPOCH = 1_767_225_600.0
_MAX_CONNECTIONS = 8_192
_JITTER = 0.5
"""In place of random numbers, so that the same file gives the same plan."""
_SINGLE_DEBIT = 3_600.0
"""Seconds between two debits of output tokens, longer than any answer takes: there is only one."""
_UNLIMITED = 1e12
"""Per minute: stands for a limit that the user does not state."""


@attrs.frozen(kw_only=True)
class Plan:
    """The expected outcome of a run."""

    jobs: int
    bad_lines: int
    seconds: float
    run: Snapshot
    max_output: int | None
    """The most output tokens of all jobs; None: nothing limits those of some job."""
    cost: float | None
    """None: several models, or one without a price."""
    prices: PriceList


def make_plan(options: RunOptions, inputs: Inputs, assumed: Assumptions) -> Plan:
    """Rehearse a run. The limits in ``options`` are those of the server. Raises `RunRefused`."""
    if not inputs.rereadable:
        raise RunRefused("plan needs an input that can be read again: give it a regular file")
    with relaxed_garbage_collection():
        return trio.run(_rehearse, options, inputs, assumed, clock=_SkippingClock())


@attrs.define
class _SkippingClock(trio.abc.Clock):
    """Virtual time: when all tasks sleep, it jumps to the time at which the first of them wakes.

    trio's MockClock does the same, but needs two rounds of the scheduler for each jump; this one needs one.
    """

    _now: float = 0.0

    def start_clock(self) -> None:
        pass

    def current_time(self) -> float:
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Jump to the deadline: trio calls this only when nothing can run before it."""
        if math.isinf(deadline):
            return deadline
        self._now = max(self._now, deadline)
        return 0.0


async def _rehearse(options: RunOptions, inputs: Inputs, assumed: Assumptions) -> Plan:
    prepared = await prepare(options, inputs)
    dialect = prepared.dialect
    service = Simulator(_profile(options, assumed), log=RequestLog(keep=False), epoch=_EPOCH)
    lines = _PlannedLines(dialect)
    began = trio.current_time()
    outcome = await supervise(
        Setup(
            source=prepared.source,
            item_of=lines.item_of,
            settings=attempt_settings(
                options,
                dialect=dialect,
                endpoint=SIMULATOR,
                recipe="",
                client=_Service(service),
                wall_clock=lambda: _EPOCH + trio.current_time(),
            ),
            rules=_rules(options, dialect),
            output=NoOutput(),
            stops=no_stops(),
        )
    )
    prices = options.stop.prices or own_prices()
    price = None if lines.model is None else prices.price(lines.model)
    run = _with_all_choices(outcome.snapshot, lines)
    return Plan(
        jobs=lines.jobs,
        bad_lines=lines.bad_lines,
        seconds=trio.current_time() - began,
        run=run,
        max_output=lines.max_output,
        cost=None if price is None else price.of(run.usage),
        prices=prices,
    )


def _with_all_choices(run: Snapshot, lines: _PlannedLines) -> Snapshot:
    """Return the counts of a run with the output of every choice: the simulator generates one per job."""
    if lines.choices == lines.jobs:
        return run
    output = round((run.usage.output or 0) * lines.choices / lines.jobs)
    return attrs.evolve(run, usage=structs.replace(run.usage, output=output))


def as_text(plan: Plan) -> str:
    """Return the plan as text for a terminal."""
    usage = plan.run.usage
    lines = [
        f"jobs          {plan.jobs:,}"
        + (f"   ({plan.bad_lines:,} lines cannot be parsed)" if plan.bad_lines else ""),
        f"time          about {duration_text(plan.seconds)}",
        f"input tokens  about {usage.input:,}",
        f"output tokens about {usage.output:,}",
        *([] if plan.max_output is None else [f"at most       {plan.max_output:,} output tokens"]),
        f"cost          {_cost(plan)}",
        f"in flight     at most {plan.run.cap:,}",
        f"bottleneck    {bottlenecks(plan.run) or 'none'}",
        "nothing was sent",
    ]
    if usage.cache_read:
        lines.insert(3, f"cached tokens about {usage.cache_read:,} read, {usage.cache_creation:,} written")
    return "\n".join(lines)


def _cost(plan: Plan) -> str:
    if plan.cost is None:
        return "unknown: several models, or one without a price; supply a price list with --prices FILE"
    return cost_text(plan.cost, plan.prices)


def _profile(options: RunOptions, assumed: Assumptions) -> Profile:
    def limit(per_minute: float | None) -> BucketLimit:
        minute = _UNLIMITED if per_minute is None else per_minute
        return BucketLimit(per_minute=minute, burst=minute / 60 * assumed.burst)

    stated = options.pacing.limits
    return Profile(
        limits=ProviderLimits(
            requests=limit(stated.rpm), input=limit(stated.itpm), output=limit(stated.otpm)
        ),
        ttft=assumed.latency,
        tokens_per_second=assumed.tokens_per_second,
        output_tokens=assumed.output_tokens,
        # Each debit of output tokens is an event to simulate: without a limit on them, one is enough.
        debit_interval=1.0 if stated.otpm is not None else _SINGLE_DEBIT,
    )


def _rules(options: RunOptions, dialect: Dialect) -> Rules:
    """Return the rules of a run that does not know the server's limits yet, and that nothing stops early."""
    unknown = Limits(share=options.pacing.limits.share)
    rehearsed = attrs.evolve(
        options,
        pacing=attrs.evolve(options.pacing, limits=unknown),
        stop=StopOptions(),
        retry=RetryOptions(),
    )
    return build_rules(
        rehearsed, dialect, jobs=None, max_connections=_MAX_CONNECTIONS, random=lambda: _JITTER
    )


@attrs.define
class _PlannedLines:
    """Turns lines into jobs, and counts them."""

    _dialect: Dialect
    jobs: int = 0
    bad_lines: int = 0
    choices: int = 0
    """Of all jobs together."""
    max_output: int | None = 0
    model: str | None = None
    """The model of all jobs so far; None if there are none, or several models."""

    def item_of(self, line: InputLine, now: float) -> Pending | None:
        try:
            request = self._dialect.lines.read(line.text)
        except BadLine:
            self.bad_lines += 1
            return None
        self.model = request.model if self.jobs == 0 or self.model == request.model else None
        self.jobs += 1
        self.choices += request.choices
        if self.max_output is not None:
            limit = request.max_output
            self.max_output = None if limit is None else self.max_output + limit
        job = PreparedJob(id=str(self.jobs), line=line.number, source=None, digest="", request=request)
        return Pending(job=job, read_at=now)


@attrs.frozen
class _Service:
    """Opens senders to a simulator in this process."""

    _simulator: Simulator

    @asynccontextmanager
    async def open_sender(
        self, method: str, path: str, headers: Mapping[str, str], *, idle_timeout: float
    ) -> AsyncGenerator[_RehearsedSender]:
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        yield _RehearsedSender(
            self._simulator, {"type": "http", "method": method, "path": path, "headers": raw}
        )


@attrs.frozen
class _RehearsedSender:
    _simulator: Simulator
    _scope: Mapping[str, Any]

    @property
    def url(self) -> str:
        return f"http://simulator{self._scope['path']}"

    async def send(self, body: bytes, *, on_data: OnData | None = None, **_options: Any) -> Response:
        began, reply = trio.current_time(), _Sink(on_data)
        await self._simulator(dict(self._scope), partial(_request, body), reply.take)
        now = trio.current_time()
        return Response(
            status=reply.status,
            head=reply.head,
            body=bytes(reply.body),
            started_at=began,
            first_byte_at=now,
            finished_at=now,
        )


async def _request(body: bytes) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": False}


@attrs.define
class _Sink:
    """Collects what the application sends into one response."""

    on_data: OnData | None
    status: int = 0
    head: bytes = b""
    body: bytearray = attrs.field(factory=bytearray)

    async def take(self, message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            fields = b"".join(b"%b: %b\r\n" % field for field in message["headers"])
            self.head = b"HTTP/1.1 %d \r\n%b\r\n" % (self.status, fields)
        else:
            data = message.get("body", b"")
            self.body += data
            if self.on_data is not None and 200 <= self.status < 300:
                self.on_data(data)
