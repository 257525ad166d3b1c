"""`headrace demo`: runs a small job file on the simulator, so that anyone can watch the program work."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import cloup
import msgspec

from ._command import command
from .run import run

MODEL = "claude-sonnet-5-5"

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


@command("headrace demo", "headrace demo --directory /tmp/demo")
@cloup.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("headrace-demo"),
    help="Directory for the job file and its results.",
)
def demo(directory: Path) -> None:
    """Write a small job file and run it on the built-in simulator: no key, no cost, no network.

    Run it again: the second time, nothing is left to do.
    """
    jobs = directory / "jobs.jsonl"
    write_jobs(jobs)
    arguments = [str(jobs), "--prompt", "{task}", "--model", MODEL, "--max-tokens", "300", "--simulate"]
    arguments += ["-c", "16", "-o", str(directory / "results.jsonl")]
    click.echo(f"wrote {jobs}, {len(_TASKS) * len(_TOPICS)} rows; now running:\n")
    click.echo(f"  {shlex.join(['headrace', 'run', *arguments])}\n")
    run.main(arguments, prog_name="headrace run")


def write_jobs(path: Path) -> None:
    """Write a row for each task and topic."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = ({"task": task.format(topic), "topic": topic} for topic in _TOPICS for task in _TASKS)
    path.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
