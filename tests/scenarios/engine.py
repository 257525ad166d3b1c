"""Play a scenario with the whole engine of a run, from reader to writer, in virtual time."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from random import Random

import attrs
import trio
from trio.testing import MockClock

from headrace.actors.messages import Pending, Stop
from headrace.actors.rules import Rules
from headrace.actors.supervisor import Outcome, Setup, supervise
from headrace.actors.worker import AttemptSettings
from headrace.dialects import make_dialect
from headrace.job import PreparedJob
from headrace.pacing import Pacing
from headrace.policy.options import RequestOptions, StopOptions
from headrace.policy.retry import RunRetryPolicy
from headrace.policy.stop import StopRules
from headrace.simulator import RequestLog, Simulator, in_memory_connector
from headrace_client import AsyncAPIClient
from headrace_client.lowlevel import ConnectionPool

from .scenario import EPOCH, Scenario
from .scheduling import seeded_scheduler


@attrs.frozen(kw_only=True)
class Report:
    """The outcome of a scenario. ``seconds``: virtual time until the last record."""

    seconds: float
    outcome: Outcome
    log: RequestLog
    pacing: Pacing
    finished: int

    @property
    def refused(self) -> int:
        """The number of 429 responses."""
        return self.log.statuses[429]


def play(scenario: Scenario) -> Report:
    """Run a scenario to its end. The same scenario always gives the same report."""
    with seeded_scheduler(scenario.seed):
        return trio.run(_play, scenario, clock=MockClock(autojump_threshold=0))


async def _play(scenario: Scenario) -> Report:
    simulator = Simulator(scenario.profile, schedule=scenario.schedule, seed=scenario.seed, epoch=EPOCH)
    server = simulator if scenario.between is None else scenario.between(simulator)
    dialect = make_dialect(scenario.dialect, RequestOptions())
    pacing, sink = scenario.pacing(), _Sink()
    pacing.reserves_output = scenario.dialect == "openai"
    async with trio.open_nursery() as nursery:
        pool = ConnectionPool(connect=in_memory_connector(server, nursery))
        client = AsyncAPIClient(
            version="0", base_url="http://api.localhost", pool=pool, _strict_response_validation=False
        )
        outcome = await supervise(
            Setup(
                source=_Numbers(scenario.jobs),
                item_of=lambda number, now: _pending(number, scenario, now),
                settings=AttemptSettings(
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
                    random=Random(scenario.seed).random,
                    stop_options=StopOptions(max_wait=scenario.max_wait),
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

    def batches(self) -> AsyncIterator[range]:
        return _all_at_once(range(self._count))


async def _all_at_once(numbers: range) -> AsyncGenerator[range]:
    yield numbers


def _pending(number: int, scenario: Scenario, now: float) -> Pending:
    job = PreparedJob(id=f"job-{number}", line=1, source=None, digest="", request=scenario.request(number))
    return Pending(job=job, read_at=now)


async def _no_stops() -> AsyncGenerator[Stop]:
    await trio.sleep_forever()
    yield  # pragma: no cover


class _Sink:
    def append_results(self, data: bytes) -> None:
        """Drop the records."""

    def append_errors(self, data: bytes) -> None:
        """Drop the records."""
