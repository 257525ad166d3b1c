"""`headrace plan`: the run of a file, rehearsed in virtual time against the simulator.

The reader, the dispatcher, the pacing and the workers are those of a real run; only the sender is short: it
hands a request to the simulated service without HTTP in between, and nothing is written.
"""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import attrs
import trio

from headrace._exceptions import BadLine, RunRefused
from headrace.actors.messages import Pending, Stop
from headrace.actors.statistics import Snapshot
from headrace.actors.supervisor import Setup, relaxed_garbage_collection, supervise
from headrace.actors.worker import OnData
from headrace.dialects import Dialect
from headrace.input.files import Inputs
from headrace.input.lines import InputLine
from headrace.job import PreparedJob
from headrace.output.opened_output import NoOutput
from headrace.pacing import Concurrency, Pacing
from headrace.policy.prices import own_prices
from headrace.policy.retry import RunRetryPolicy
from headrace.policy.rules import Rules
from headrace.policy.stop import StopRules
from headrace.run.execution import attempt_settings
from headrace.run.options import RunOptions
from headrace.run.preparation import SIMULATOR, prepare
from headrace.run.summary import bottlenecks
from headrace.simulator import BucketLimit, Profile, ProviderLimits, RequestLog, Simulator
from headrace_client.lowlevel import Response

_EPOCH = 1_767_225_600.0
_MAX_CONNECTIONS = 8_192
_ONE_DEBIT = 3_600.0
_AMPLE = 1e12
"""A minute: what is not said to be limited."""


@attrs.frozen(kw_only=True)
class Assumptions:
    """What the server is taken to be like. Times in seconds; ``output_tokens``: of an answer, from and to."""

    latency: float = 1.0
    """Until the first token."""
    tokens_per_second: float = 80.0
    output_tokens: tuple[int, int] = (50, 500)
    burst: float = 1.0
    """Seconds' worth of each limit that may be used at once."""


@attrs.frozen(kw_only=True)
class Plan:
    """What a run will probably come to."""

    jobs: int
    bad_lines: int
    seconds: float
    run: Snapshot
    cost: float | None
    """None: a model without a price."""
    currency: str
    prices_as_of: str


def make_plan(options: RunOptions, inputs: Inputs, assumed: Assumptions) -> Plan:
    """Rehearse a run. ``options.limits``: those of the server. Raises `RunRefused`."""
    if not inputs.rereadable:
        raise RunRefused("plan reads the input without using it up: give it a regular file")
    with relaxed_garbage_collection():
        return trio.run(_rehearse, options, inputs, assumed, clock=_SkippingClock())


@attrs.define
class _SkippingClock(trio.abc.Clock):
    """Virtual time: whenever all tasks sleep it is at once the time at which the first of them wakes.

    trio's MockClock does the same in two rounds of the scheduler; this takes one.
    """

    _now: float = 0.0

    def start_clock(self) -> None:
        """Begin at zero."""

    def current_time(self) -> float:
        """The virtual time."""
        return self._now

    def deadline_to_sleep_time(self, deadline: float) -> float:
        """Skip to the deadline; trio asks only when nothing can run before it."""
        if math.isinf(deadline):
            return deadline
        self._now = max(self._now, deadline)
        return 0.0


async def _rehearse(options: RunOptions, inputs: Inputs, assumed: Assumptions) -> Plan:
    prepared = await prepare(options, inputs)
    dialect = prepared.dialect
    service = Simulator(_profile(options, assumed), log=RequestLog(keep=False), epoch=_EPOCH)
    intake = _PlannedLines(dialect)
    began = trio.current_time()
    outcome = await supervise(
        Setup(
            source=prepared.source,
            item_of=intake.item_of,
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
            stops=_never(),
        )
    )
    prices = options.prices or own_prices()
    price = None if intake.model is None else prices.price(intake.model)
    return Plan(
        jobs=intake.jobs,
        bad_lines=intake.bad_lines,
        seconds=trio.current_time() - began,
        run=outcome.snapshot,
        cost=None if price is None else price.of(outcome.snapshot.usage),
        currency=prices.currency,
        prices_as_of=prices.as_of,
    )


def as_text(plan: Plan) -> str:
    """Lay the plan out for a terminal."""
    usage = plan.run.usage
    lines = [
        f"jobs          {plan.jobs:,}"
        + (f"   ({plan.bad_lines:,} lines are none)" if plan.bad_lines else ""),
        f"time          about {_duration(plan.seconds)}",
        f"input tokens  about {usage.input:,}",
        f"output tokens about {usage.output:,}",
        f"cost          {_cost(plan)}",
        f"in flight     at most {plan.run.cap:,}",
        f"bound by      {bottlenecks(plan.run) or 'nothing'}",
        "nothing was sent",
    ]
    if usage.cache_read:
        lines.insert(3, f"cached tokens about {usage.cache_read:,} read, {usage.cache_creation:,} written")
    return "\n".join(lines)


def _cost(plan: Plan) -> str:
    if plan.cost is None:
        return "unknown: several models, or one without a price; name a list of prices by --prices"
    return f"about {plan.cost:,.2f} {plan.currency} (prices of {plan.prices_as_of})"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _profile(options: RunOptions, assumed: Assumptions) -> Profile:
    def limit(per_minute: float | None) -> BucketLimit:
        minute = _AMPLE if per_minute is None else per_minute
        return BucketLimit(per_minute=minute, burst=minute / 60 * assumed.burst)

    stated = options.limits
    return Profile(
        limits=ProviderLimits(
            requests=limit(stated.rpm), input=limit(stated.itpm), output=limit(stated.otpm)
        ),
        ttft=assumed.latency,
        tokens_per_second=assumed.tokens_per_second,
        output_tokens=assumed.output_tokens,
        # Every debit is an event of its own: without a limit of output there is no need for more than one.
        debit_interval=1.0 if stated.otpm is not None else _ONE_DEBIT,
    )


def _rules(options: RunOptions, dialect: Dialect) -> Rules:
    asked = options.concurrency
    return Rules(
        pacing=Pacing(
            concurrency=Concurrency.found(_MAX_CONNECTIONS) if asked == "auto" else Concurrency.fixed(asked),
            stated=attrs.evolve(options.limits, rpm=None, itpm=None, otpm=None),
            reserves_output=dialect.reserves_output_tokens,
            warm_cache_first=options.cache_prefix,
        ),
        retry=RunRetryPolicy(),
        stop=StopRules(),
        random=lambda: 0.5,
    )


@attrs.define
class _PlannedLines:
    """Makes jobs of lines, and counts them."""

    _dialect: Dialect
    jobs: int = 0
    bad_lines: int = 0
    model: str | None = None
    """The only one; None while there is none, or when there are several."""

    def item_of(self, line: InputLine, now: float) -> Pending | None:
        try:
            request = self._dialect.lines.read(line.text)
        except BadLine:
            self.bad_lines += 1
            return None
        self.model = request.model if self.jobs == 0 or self.model == request.model else None
        self.jobs += 1
        job = PreparedJob(id=str(self.jobs), line=line.number, source=None, digest="", request=request)
        return Pending(job=job, read_at=now)


@attrs.frozen
class _Service:
    """Opens senders that end at a simulator in this process."""

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
    """What the application sends, as one answer."""

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


async def _never() -> AsyncGenerator[Stop]:
    await trio.sleep_forever()
    yield  # pragma: no cover - it only has to be a generator
