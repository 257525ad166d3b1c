"""`headrace demo`: a small job file of our own on the simulator, so that anyone sees the whole program work."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from headrace.dialects import RequestOptions
from headrace.options import RunOptions

from ._report import clear_errors, run_and_report

MODEL = "claude-sonnet-4-5"

_TASKS = (
    "Explain {} to a colleague in one paragraph.",
    "Write a limerick about {}.",
    "List three common mistakes people make with {}.",
    "Invent a short dialogue between two engineers about {}.",
)
_TOPICS = (
    "a water mill",
    "a rate limit",
    "exponential backoff",
    "a token bucket",
    "an append-only journal",
    "a torn write",
    "a connection pool",
    "Little's law",
    "a half-open socket",
    "backpressure",
    "a dead letter queue",
    "an idempotency key",
    "head-of-line blocking",
    "a leap second",
    "a circuit breaker",
    "structured concurrency",
    "a bounded channel",
    "a flaky test",
    "virtual time",
    "a group commit",
    "a page cache",
    "a hash collision",
    "a full disk",
    "an unsolicited response",
    "a headrace",
)


@click.command()
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("headrace-demo"),
    show_default=True,
    help="Where the job file and its results go.",
)
def demo(directory: Path) -> None:
    """Write a small job file and run it on the built-in simulator: no key, no cost, no network.

    Call it twice: the second time there is nothing left to do.
    """
    with clear_errors():
        jobs = directory / "jobs.jsonl"
        write_jobs(jobs)
        command = f"headrace run {jobs} --prompt '{{task}}' --model {MODEL} --simulate -c 16"
        click.echo(f"wrote {jobs}; now running:\n  {command}\n")
        options = RunOptions(
            inputs=(str(jobs),),
            request=RequestOptions(prompt="{task}", model=MODEL, max_tokens=300),
            output=directory / "results.jsonl",
            simulate=True,
            concurrency=16,
        )
        code = run_and_report(options, "auto")
        click.echo(f"\nlook at them with:  head -n 2 {options.output}")
    sys.exit(code)


def write_jobs(path: Path) -> None:
    """Write one row a task and topic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"task": task.format(topic), "topic": topic} for topic in _TOPICS for task in _TASKS)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
