"""Runs the jobs of an input: what ``headrace run`` does, with everything it touches passed in.

Three phases. `_prepare` checks, reads and opens everything, and raises what is wrong; nothing is sent yet.
`_supervise` sends. `_finish` writes what remains. From the first request on, everything that goes wrong is in
the summary.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterable, Callable
from contextlib import AbstractContextManager, suppress
from functools import partial
from pathlib import Path

import attrs
import trio

from headrace._exceptions import RunRefused, StorageFailed
from headrace.actors.messages import Stop
from headrace.actors.rules import Rules
from headrace.actors.statistics import Snapshot
from headrace.actors.supervisor import Outcome, Setup, relaxed_garbage_collection, supervise
from headrace.input.identity import recipe_digest
from headrace.input.scan import InputScan, scan_inputs
from headrace.output.opened_output import OpenedOutput
from headrace.output.paths import OutputPaths, output_paths, refuse_overlap
from headrace.output.resume import open_output
from headrace.policy.budget import Budget, no_price
from headrace.policy.options import RunOptions
from headrace.policy.prices import PriceList, own_prices
from headrace.policy.stop import StopReason
from headrace.run.assembly import attempt_settings, build_budget, build_rules, open_client
from headrace.run.attempt_log import attempt_log
from headrace.run.endpoint import endpoint_digest
from headrace.run.finish import last_sync, order, rescue
from headrace.run.line_parser import LineParser
from headrace.run.maximum_cost import refuse_unlimited_jobs
from headrace.run.preparation import Prepared, prepare
from headrace.run.summary import Summary, summarize
from headrace.run.system import System
from headrace.simulator import Simulator

Display = Callable[[int | None], AbstractContextManager[Callable[[Snapshot], None]]]
"""Opens a live view, given the number of jobs to send (None: unknown)."""


@attrs.frozen(kw_only=True)
class _Run:
    """A run that is ready to send."""

    options: RunOptions
    prepared: Prepared
    paths: OutputPaths
    scan: InputScan | None
    """None: the input can be read only once."""
    opened: OpenedOutput
    parser: LineParser
    budget: Budget | None
    rules: Rules


async def execute(
    options: RunOptions,
    *,
    system: System,
    stops: Callable[[], AsyncIterable[Stop]],
    display: Display,
    notify: Callable[[str], None],
) -> Summary:
    """Run the jobs of an input, and write a record of each.

    ``stops``: requests to stop early. ``notify``: takes lines for the user.

    Raises `RunRefused` or `StorageFailed` before anything is sent.
    """
    run = await _prepare(options, system, notify)
    outcome = await _supervise(run, system, stops, display)
    return await _finish(run, outcome, system)


# -- before the first request


async def _prepare(options: RunOptions, system: System, notify: Callable[[str], None]) -> _Run:
    _refuse_concurrency(options, system)
    _refuse_unpriced(options)
    prepared = await prepare(options, system.open_inputs(options.input))
    if options.output.ordered and not prepared.inputs.rereadable:
        raise RunRefused("--ordered (ordered) reads the input again at the end: give it regular files")
    paths = output_paths(options.output_path)
    refuse_overlap(map(Path, options.input.files), paths.written(ordered=options.output.ordered))
    for notice in prepared.dialect.lines.notices:
        notify(notice)
    prices = _prices(options, prepared)
    scan = _scan(options, prepared)
    opened = open_output(
        system.storage,
        paths,
        scan=scan,
        line_format=prepared.dialect.lines,
        recipe=prepared.recipe,
        on_change=options.resume.on_change,
        retry_failed=options.resume.retry_failed,
        endpoint=endpoint_digest(prepared.endpoint),
        restart=_timestamp(system.wall_clock()) if options.resume.restart else None,
    )
    _announce(opened, notify)
    budget = build_budget(options.stop, opened, system.storage, paths)
    if budget is not None and budget.spent:
        notify(_spent_before(budget))
    return _Run(
        options=options,
        prepared=prepared,
        paths=paths,
        scan=scan,
        opened=opened,
        parser=LineParser(
            dialect=prepared.dialect,
            recipe=recipe_digest(prepared.recipe),
            decisions=opened.decisions,
            prices=prices,
        ),
        budget=budget,
        rules=_rules(options, prepared, opened, budget, system),
    )


def _prices(options: RunOptions, prepared: Prepared) -> PriceList | None:
    """Return the prices by which a budget counts, None without one.

    Raises `RunRefused` for a job without a maximum cost.
    """
    if options.stop.max_cost is None:
        return None
    prices = options.stop.prices or own_prices()
    if prepared.inputs.rereadable:
        refuse_unlimited_jobs(prepared.inputs, prepared.dialect.lines, prices)
    return prices


def _spent_before(budget: Budget) -> str:
    spent = f"{budget.spent:,.4f} {budget.prices.currency}"
    return f"earlier runs have spent {spent} of --max-cost {budget.limit:,.10g}"


def _refuse_concurrency(options: RunOptions, system: System) -> None:
    concurrency = options.pacing.concurrency
    if concurrency != "auto" and concurrency > system.max_connections and not options.server.simulate:
        raise RunRefused(
            f"--concurrency {concurrency:,} needs as many connections, but the system allows only"
            f" {system.max_connections:,}: lower it, or raise the limit that 'ulimit -n' shows"
        )


def _refuse_unpriced(options: RunOptions) -> None:
    """Refuse a budget if the options name a model that has no price. Raises `RunRefused`."""
    model, prices = options.request.model, options.stop.prices or own_prices()
    if options.stop.max_cost is not None and model is not None and prices.price(model) is None:
        raise RunRefused(f"--max-cost: {no_price(model, prices)}")


def _scan(options: RunOptions, prepared: Prepared) -> InputScan | None:
    """Read all lines before anything is sent. None: a pipe, which can be read only once."""
    if not prepared.inputs.rereadable:
        return None
    return scan_inputs(
        prepared.inputs,
        prepared.dialect.lines,
        on_duplicate=options.input.on_duplicate,
        on_bad_line=options.input.on_bad_line,
    )


def _timestamp(now: float) -> str:
    """Return the moment in UTC, for the names of files moved aside: they sort by age and do not clash."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))


def _announce(opened: OpenedOutput, notify: Callable[[str], None]) -> None:
    for notice in opened.notices:
        notify(notice)
    counts = opened.counts
    if counts.done or counts.failed:
        failed = f", {counts.failed:,} failed permanently" if counts.failed else ""
        to_send = "the rest" if counts.to_send is None else f"{counts.to_send:,}"
        notify(f"{counts.done:,} done{failed}, {to_send} to send")


def _rules(
    options: RunOptions, prepared: Prepared, opened: OpenedOutput, budget: Budget | None, system: System
) -> Rules:
    """Return the rules of the run, with what earlier runs have learned about the server."""
    rules = build_rules(
        options,
        prepared.dialect,
        jobs=opened.counts.to_send,
        max_connections=system.max_connections,
        random=system.random,
        budget=budget,
        earlier=opened.streaks,
    )
    rules.pacing.restore(opened.pacing, trio.current_time(), system.wall_clock())
    return rules


# -- while jobs are sent


async def _supervise(
    run: _Run, system: System, stops: Callable[[], AsyncIterable[Stop]], display: Display
) -> Outcome:
    options, prepared, opened = run.options, run.prepared, run.opened
    simulator = Simulator() if options.server.simulate else None
    with relaxed_garbage_collection(), display(opened.counts.to_send) as show:
        async with open_client(prepared.endpoint, system, simulator) as client:
            return await supervise(
                Setup(
                    source=prepared.source,
                    item_of=run.parser.item_of,
                    settings=attempt_settings(
                        options,
                        dialect=prepared.dialect,
                        endpoint=prepared.endpoint,
                        recipe=run.parser.recipe,
                        client=client,
                        wall_clock=system.wall_clock,
                    ),
                    rules=run.rules,
                    output=opened,
                    sync=partial(system.in_thread, opened.sync)
                    if options.output.durability == "fsync"
                    else None,
                    stops=stops(),
                    show=show,
                    watch=attempt_log(),
                )
            )


# -- after the last record


async def _finish(run: _Run, outcome: Outcome, system: System) -> Summary:
    notices = rescue(outcome.unsaved, system, run.paths)
    reasons = outcome.reasons
    if run.options.output.durability != "none":
        reasons += await last_sync(run.opened, system)
    if run.options.output.ordered and run.scan is not None and not reasons:
        ordered, reasons = order(system.storage, run.paths, run.prepared, run.scan)
        notices += ordered
    with suppress(StorageFailed):  # the summary has reported a full disk already
        run.opened.save(
            run.rules.pacing.levels(trio.current_time(), system.wall_clock()),
            run.opened.spent if run.budget is None else run.budget.spent,
        )
    run.prepared.inputs.close()
    return _summary(run, outcome.snapshot, reasons, notices)


def _summary(run: _Run, snapshot: Snapshot, reasons: list[StopReason], notices: tuple[str, ...]) -> Summary:
    scan, counts, parser = run.scan, run.opened.counts, run.parser
    lines = parser.lines if scan is None else scan.jobs + scan.bad_lines
    if scan is not None and not reasons and parser.lines != lines + scan.duplicates:
        notices += ("the input changed while it was read: run the same command again",)
        lines = max(lines, parser.lines)
    if scan is not None and scan.duplicates:
        notices += (f"{scan.duplicates:,} lines have the id of an earlier line, and were skipped",)
    return summarize(
        input=lines,
        done_before=parser.skipped if scan is None else counts.done,
        failed_before=0 if scan is None else counts.failed,
        run=snapshot,
        reasons=reasons,
        output=run.paths.results,
        errors=run.paths.errors,
        notices=notices,
    )
