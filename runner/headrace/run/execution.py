"""From options to a run to its summary: what `headrace run` does, with everything it touches passed in."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import trio

from headrace._exceptions import RunRefused, StorageFailed
from headrace.actors.messages import Stop
from headrace.actors.statistics import Snapshot
from headrace.actors.supervisor import Setup, relaxed_garbage_collection, supervise
from headrace.actors.worker import AttemptSettings, SupportsOpenSender
from headrace.dialects import Dialect
from headrace.input.identity import recipe_digest
from headrace.input.scan import InputScan, scan_inputs
from headrace.output.cost import recorded_cost
from headrace.output.opened_output import OpenedOutput
from headrace.output.paths import OutputPaths, output_paths, refuse_overlap
from headrace.output.resume import open_output
from headrace.pacing import Concurrency, Pacing
from headrace.policy.budget import Budget, no_price
from headrace.policy.prices import own_prices
from headrace.policy.retry import RunRetryPolicy
from headrace.policy.rules import Rules
from headrace.policy.stop import StopReason, StopRules
from headrace.run.endpoint import Endpoint
from headrace.run.finish import last_sync, order, rescue
from headrace.run.line_parser import LineParser
from headrace.run.options import RunOptions, default_output, max_failures
from headrace.run.preparation import Prepared, prepare
from headrace.run.summary import Summary, summarize
from headrace.run.system import System
from headrace.simulator import Simulator, in_memory_connector
from headrace_client import AsyncAPIClient, __version__
from headrace_client.lowlevel import ConnectionPool

MAX_FOUND_CONCURRENCY = 16_320
"""What ``--concurrency auto`` goes up to, where the system allows as many connections."""
Display = Callable[[int | None], AbstractContextManager[Callable[[Snapshot], None]]]
"""Opens a live view, given the number of jobs to send (None: unknown)."""


async def execute(
    options: RunOptions,
    *,
    system: System,
    stops: Callable[[], AsyncIterable[Stop]],
    display: Display,
    notify: Callable[[str], None],
) -> Summary:
    """Run the jobs of the input to their records.

    Raises `RunRefused` or `StorageFailed` before anything is sent; afterwards everything that goes wrong is
    in the summary. ``stops``: wishes to end early; ``notify``: takes lines for the user.
    """
    _refuse_concurrency(options, system)
    _refuse_unpriced(options)
    prepared = await prepare(options, system.open_inputs(options))
    if options.ordered and not prepared.inputs.rereadable:
        raise RunRefused("--ordered reads the input once more at the end: give it regular files")
    paths = output_paths(options.output or default_output(options.inputs))
    refuse_overlap(map(Path, options.inputs), paths.written(ordered=options.ordered))
    scan = scan_input(options, prepared)
    opened = open_output(
        system.storage,
        paths,
        scan=scan,
        line_format=prepared.dialect.lines,
        recipe=prepared.recipe,
        on_change=options.on_change,
        retry_failed=options.retry_failed,
        restart=_label(system.wall_clock()) if options.restart else None,
    )
    _announce(opened, notify)
    intake = LineParser(
        dialect=prepared.dialect, recipe=recipe_digest(prepared.recipe), decisions=opened.decisions
    )
    to_send = opened.counts.to_send
    budget = _budget(options, opened, system, paths)
    if budget is not None and budget.spent:
        notify(f"{budget.spent:,.4f} of --max-cost {budget.limit:,.2f} were spent by earlier runs")
    rules = build_rules(options, to_send, system, prepared.dialect, budget)
    rules.pacing.restore(opened.pacing, trio.current_time(), system.wall_clock())
    with relaxed_garbage_collection(), display(to_send) as show:
        simulator = Simulator() if options.simulate else None
        async with open_client(prepared.endpoint, system, simulator) as client:
            outcome = await supervise(
                Setup(
                    source=prepared.source,
                    item_of=intake.item_of,
                    settings=attempt_settings(
                        options,
                        dialect=prepared.dialect,
                        endpoint=prepared.endpoint,
                        recipe=intake.recipe,
                        client=client,
                        wall_clock=system.wall_clock,
                    ),
                    rules=rules,
                    output=opened,
                    sync=partial(system.in_thread, opened.sync) if options.durability == "fsync" else None,
                    stops=stops(),
                    show=show,
                )
            )
    notices = rescue(outcome.unsaved, system, paths)
    reasons = outcome.reasons
    if options.durability != "none":
        reasons += await last_sync(opened, system)
    if options.ordered and scan is not None and not reasons:
        told, reasons = order(system.storage, paths, prepared, scan)
        notices += told
    with suppress(StorageFailed):  # a disk that is full has been told about already
        opened.save(
            rules.pacing.levels(trio.current_time(), system.wall_clock()),
            opened.spent if budget is None else budget.spent,
        )
    prepared.inputs.close()
    return _summary(outcome.snapshot, reasons, opened, intake, scan, paths, notices)


def _refuse_concurrency(options: RunOptions, system: System) -> None:
    asked = options.concurrency
    if asked != "auto" and asked > system.max_connections and not options.simulate:
        raise RunRefused(
            f"--concurrency {asked:,} needs as many connections, and the system allows"
            f" {system.max_connections:,}: lower it, or raise what 'ulimit -n' shows"
        )


def scan_input(options: RunOptions, prepared: Prepared) -> InputScan | None:
    """Look at all lines before anything is sent; None for a pipe, which can be read only once."""
    if not prepared.inputs.rereadable:
        return None
    return scan_inputs(
        prepared.inputs,
        prepared.dialect.lines,
        on_duplicate=options.on_duplicate,
        on_bad_line=options.on_bad_line,
    )


def _label(now: float) -> str:
    """Name what is moved aside after the moment, in UTC: sorts by age, and no two runs of a user clash."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _announce(opened: OpenedOutput, notify: Callable[[str], None]) -> None:
    for notice in opened.notices:
        notify(notice)
    counts = opened.counts
    if counts.done or counts.failed:
        failed = f", {counts.failed:,} failed for good" if counts.failed else ""
        to_send = "the rest" if counts.to_send is None else f"{counts.to_send:,}"
        notify(f"{counts.done:,} done{failed}, {to_send} to send")


@asynccontextmanager
async def open_client(
    endpoint: Endpoint, system: System, simulator: Simulator | None
) -> AsyncGenerator[AsyncAPIClient, None]:
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
    """Return how the attempts of a run are made. ``recipe``: its digest."""
    return AttemptSettings(
        client=client,
        dialect=dialect,
        headers=endpoint.headers,
        recipe=recipe,
        secrets=endpoint.secrets,
        timeout=options.timeout,
        idle_timeout=options.idle_timeout,
        wall_clock=wall_clock,
    )


def build_rules(
    options: RunOptions, to_send: int | None, system: System, dialect: Dialect, budget: Budget | None = None
) -> Rules:
    """Return the pure rules of a run. ``to_send``: its number of jobs, None if unknown."""
    return Rules(
        pacing=_pacing(options, system, dialect),
        budget=budget,
        retry=RunRetryPolicy(max_attempts=options.max_attempts),
        stop=StopRules(max_failures=max_failures(options.max_failures, to_send)),
        random=system.random,
        max_wait=options.max_wait,
        grace=options.grace,
    )


def _pacing(options: RunOptions, system: System, dialect: Dialect) -> Pacing:
    asked = options.concurrency
    return Pacing(
        concurrency=Concurrency.found(min(system.max_connections, MAX_FOUND_CONCURRENCY))
        if asked == "auto"
        else Concurrency.fixed(asked),
        stated=options.limits,
        reserves_output=dialect.reserves_output_tokens,
        warm_cache_first=options.cache_prefix,
    )


def _refuse_unpriced(options: RunOptions) -> None:
    """Refuse a budget for a model that has no price, as far as the options name it. Raises `RunRefused`."""
    model, prices = options.request.model, options.prices or own_prices()
    if options.max_cost is not None and model is not None and prices.price(model) is None:
        raise RunRefused(no_price(model, prices))


def _budget(options: RunOptions, opened: OpenedOutput, system: System, paths: OutputPaths) -> Budget | None:
    """The budget for all runs with an output, of which earlier ones may have spent a part.

    A run that was killed has kept no sum, and what was in flight at the end of any has no record: the larger
    of the sum that was kept and that of the records is the nearest.
    """
    if options.max_cost is None:
        return None
    prices = options.prices or own_prices()
    spent = max(opened.spent, recorded_cost(system.storage, paths, prices))
    return Budget(limit=options.max_cost, prices=prices, spent=spent)


def _summary(
    run: Snapshot,
    reasons: list[StopReason],
    opened: OpenedOutput,
    intake: LineParser,
    scan: InputScan | None,
    paths: OutputPaths,
    notices: tuple[str, ...],
) -> Summary:
    counts = opened.counts
    lines = intake.lines if scan is None else scan.jobs + scan.bad_lines
    if scan is not None and not reasons and intake.lines != lines + scan.duplicates:
        notices += ("the input changed while it was read: run the same command again",)
        lines = max(lines, intake.lines)
    if scan is not None and scan.duplicates:
        notices += (f"{scan.duplicates:,} lines have the id of an earlier one, and were left out",)
    return summarize(
        input=lines,
        done_before=intake.skipped if scan is None else counts.done,
        failed_before=0 if scan is None else counts.failed,
        run=run,
        reasons=reasons,
        output=paths.results,
        errors=paths.errors,
        notices=notices,
    )
