"""The outcome of a run, as a value and as text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from headrace.actors.statistics import Latency, Snapshot
from headrace.policy.stop import ExitCode, StopReason, most_severe
from headrace.policy.text import one_line, readable

_MIN_SHARE = 0.05
"""A bottleneck is named if it held jobs back for at least this share of the time."""


@attrs.frozen(kw_only=True)
class Summary:
    """The outcome of a run. ``results + failed + not_started`` is the input."""

    input: int
    """Lines of the input that are not blank; for a pipe, those that were read."""
    results: int
    """Jobs with a result, including those of earlier runs."""
    failed: int
    """Jobs with an error record, including those kept from earlier runs."""
    not_started: int
    done_before: int
    """Results of earlier runs."""
    run: Snapshot
    """This run alone."""
    reason: StopReason | None
    """Why it stopped before the end of its input; None if it did not."""
    output: Path
    errors: Path
    notices: tuple[str, ...] = ()
    """What else the user should know, one line each."""

    @property
    def exit_code(self) -> ExitCode:
        """0: every job has a result; 1: some do not. A reason to stop has its own."""
        if self.reason is not None:
            return self.reason.exit_code
        return ExitCode.ALL_RESULTS if self.results == self.input else ExitCode.SOME_FAILED


def summarize(
    *,
    input: int,  # noqa: A002  the field's name
    done_before: int,
    failed_before: int,
    run: Snapshot,
    reasons: list[StopReason],
    output: Path,
    errors: Path,
    notices: tuple[str, ...] = (),
) -> Summary:
    """Return the outcome of a run together with that of earlier ones."""
    results = done_before + run.results
    failed = failed_before + run.failed
    return Summary(
        input=input,
        results=results,
        failed=failed,
        not_started=input - results - failed,
        done_before=done_before,
        run=run,
        reason=most_severe(reasons),
        output=output,
        errors=errors,
        notices=notices,
    )


def as_text(summary: Summary) -> str:
    """Return the summary as text for a terminal."""
    return "\n".join(_lines(summary))


def _lines(summary: Summary) -> Iterator[str]:
    run = summary.run
    rate = run.results / run.elapsed_s if run.elapsed_s else 0.0
    head = "stopped" if summary.reason else "done"
    yield f"{head} in {run.elapsed_s:,.1f} s, {rate:,.0f} results/s"
    before = f"   ({summary.done_before:,} from earlier runs)" if summary.done_before else ""
    yield f"  results      {summary.results:>12,}{before}"
    yield f"  failed       {summary.failed:>12,}{_by_kind(run)}"
    yield f"  not started  {summary.not_started:>12,}"
    yield f"  input        {summary.input:>12,}"
    yield f"  tokens       in {run.usage.input:,}   out {run.usage.output:,}{_cached(run)}{_unknown(run)}"
    yield f"  latency      {_quantiles(run.latency)}"
    if run.ttft.p50 is not None:
        yield f"  first token  {_quantiles(run.ttft)}"
    yield f"  attempts     {run.attempts:,}   429s {run.rate_limited:,}   maybe billed {_maybe_billed(run)}"
    if named := bottlenecks(run):
        yield f"  bottleneck   {named}"
    if run.cost is not None:
        yield f"  spent        {run.cost:,.4f}"
    if run.truncated or run.refusals:
        yield f"  stopped at max_tokens {run.truncated:,}   refusals {run.refusals:,}"
    if run.refused_answers:
        yield f"  refused answers {run.refused_answers:,} (status 2xx, but no complete answer; maybe billed)"
    yield f"  {one_line(str(summary.output))}"
    if summary.failed:
        yield f"  {one_line(str(summary.errors))}"
    for notice in summary.notices:
        yield f"  note: {notice}"
    if summary.reason:
        yield f"headrace: {final_message(summary.reason)}"


def final_message(reason: StopReason) -> str:
    """Say why a run stopped early, and what to do about it."""
    if reason.exit_code is ExitCode.STORAGE:
        return f"{reason.message}; fix this, then run the same command again to resume"
    return reason.message


def bottlenecks(run: Snapshot) -> str:
    """Name what kept jobs from being sent, with its share of the time."""
    total = sum(run.bottleneck_s.values())
    shares = sorted(
        ((seconds / total, name) for name, seconds in run.bottleneck_s.items() if total), reverse=True
    )
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= _MIN_SHARE)


def _by_kind(run: Snapshot) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(run.failures.items()))
    return f"   ({kinds})" if kinds else ""


def _maybe_billed(run: Snapshot) -> str:
    if not run.maybe_billed:
        return "0"
    low, high = run.maybe_billed_tokens
    tokens = f"{low:,} to {high:,} tokens" if high is not None else f"{low:,} tokens or more"
    return f"{run.maybe_billed:,} ({tokens})"


def _cached(run: Snapshot) -> str:
    usage = run.usage
    if not usage.cache_read and not usage.cache_creation:
        return ""
    return f"   cache read {usage.cache_read:,}   cache write {usage.cache_creation:,}"


def _unknown(run: Snapshot) -> str:
    if not run.usage_unknown:
        return ""
    return f"   usage unknown for {run.usage_unknown:,} answer{'s' if run.usage_unknown > 1 else ''}"


def _quantiles(latency: Latency) -> str:
    named = (("p50", latency.p50), ("p95", latency.p95), ("p99", latency.p99))
    return "   ".join(f"{name} {'-' if value is None else f'{value:,.3f} s'}" for name, value in named)


def as_builtins(summary: Summary) -> dict[str, object]:
    """Return the summary for ``--summary-json``: numbers and names that stay the same between versions."""
    run = summary.run
    return {
        "exit_code": int(summary.exit_code),
        "reason": summary.reason and readable(summary.reason.message),
        "input": summary.input,
        "results": summary.results,
        "failed": summary.failed,
        "not_started": summary.not_started,
        "done_before": summary.done_before,
        "run": attrs.asdict(run, filter=attrs.filters.exclude("usage"))
        | {
            "input_tokens": run.usage.input,
            "output_tokens": run.usage.output,
            "cache_read_tokens": run.usage.cache_read,
            "cache_creation_tokens": run.usage.cache_creation,
        },
        "output": readable(str(summary.output)),
        "errors": readable(str(summary.errors)),
        "notices": [readable(notice) for notice in summary.notices],
    }
