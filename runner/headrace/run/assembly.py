"""The parts of a run, made from its options: what `execution`, `plan` and the library put together."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Callable, Mapping
from contextlib import asynccontextmanager

import trio

from headrace.actors.messages import Stop
from headrace.actors.rules import Rules
from headrace.actors.worker import AttemptSettings, SupportsOpenSender
from headrace.dialects import Dialect
from headrace.output.cost import recorded_cost
from headrace.output.opened_output import OpenedOutput
from headrace.output.paths import OutputPaths
from headrace.output.storage import Storage
from headrace.pacing import Concurrency, Pacing
from headrace.policy.budget import Budget
from headrace.policy.options import RunOptions, StopOptions
from headrace.policy.prices import own_prices
from headrace.policy.retry import RunRetryPolicy
from headrace.policy.stop import StopRules
from headrace.policy.systemic import EarlierFailure, SystemicRules
from headrace.run.endpoint import Endpoint
from headrace.run.system import System
from headrace.simulator import Simulator, in_memory_connector
from headrace_client import AsyncAPIClient, __version__
from headrace_client.lowlevel import ConnectionPool

MAX_FOUND_CONCURRENCY = 16_320
"""The highest concurrency that ``--concurrency auto`` finds, if the system allows as many connections."""


@asynccontextmanager
async def open_client(
    endpoint: Endpoint, system: System, simulator: Simulator | None
) -> AsyncGenerator[AsyncAPIClient]:
    """Give the client that all workers share, on the network or on a simulator in this process."""
    async with trio.open_nursery() as nursery:
        connect = system.connect if simulator is None else in_memory_connector(simulator, nursery)
        pool = ConnectionPool(connect=connect)
        nursery.start_soon(pool.watchdog.run)
        try:
            yield AsyncAPIClient(
                version=__version__,
                base_url=endpoint.base_url,
                pool=pool,
                _strict_response_validation=False,
            )
        finally:
            pool.close()
            nursery.cancel_scope.cancel()


def attempt_settings(
    options: RunOptions,
    *,
    dialect: Dialect,
    endpoint: Endpoint,
    recipe: str,
    client: SupportsOpenSender,
    wall_clock: Callable[[], float],
) -> AttemptSettings:
    """Return how to make the attempts of a run. ``recipe``: its digest."""
    return AttemptSettings(
        client=client,
        dialect=dialect,
        headers=endpoint.headers,
        recipe=recipe,
        secrets=endpoint.secrets,
        retry_options=options.retry,
        wall_clock=wall_clock,
    )


def build_rules(
    options: RunOptions,
    dialect: Dialect,
    *,
    jobs: int | None,
    max_connections: int,
    random: Callable[[], float],
    budget: Budget | None = None,
    earlier: Mapping[str, EarlierFailure] | None = None,
) -> Rules:
    """Return the rules of a run. ``jobs``: how many it sends, None if unknown. Raises `RunRefused`.

    ``earlier``: see `SystemicRules`.
    """
    return Rules(
        pacing=_pacing(options, dialect, max_connections),
        budget=budget,
        retry=RunRetryPolicy(options=options.retry),
        stop=StopRules(max_failures=options.stop.failures_allowed(jobs)),
        systemic=SystemicRules(on_systemic=options.stop.on_systemic, earlier=earlier or {}),
        stop_options=options.stop,
        random=random,
    )


def _pacing(options: RunOptions, dialect: Dialect, max_connections: int) -> Pacing:
    concurrency = options.pacing.concurrency
    return Pacing(
        concurrency=Concurrency.found(min(max_connections, MAX_FOUND_CONCURRENCY))
        if concurrency == "auto"
        else Concurrency.fixed(concurrency),
        stated=options.pacing.limits,
        reserves_output=dialect.reserves_output_tokens,
        warm_cache_first=options.request.cache_prefix,
    )


def build_budget(
    options: StopOptions, opened: OpenedOutput, storage: Storage, paths: OutputPaths
) -> Budget | None:
    """Return the budget of all runs with an output, less what earlier ones have spent. None: there is none.

    A run that was killed has not saved its sum, and attempts that never ended have no record. The larger of
    the saved sum and that of the records is therefore the better estimate. Raises `StorageFailed`.
    """
    if options.max_cost is None:
        return None
    prices = options.prices or own_prices()
    spent = max(opened.spent, recorded_cost(storage, paths, prices))
    return Budget(limit=options.max_cost, prices=prices, spent=spent)


def no_stops() -> AsyncIterable[Stop]:
    """Return an empty series of wishes to stop: the caller cancels instead."""
    stops, receive = trio.open_memory_channel[Stop](0)
    stops.close()
    return receive
