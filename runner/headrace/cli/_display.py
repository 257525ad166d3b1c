"""How a run looks while it goes on: rich on a terminal, else a line now and then, or JSON, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Literal, TextIO

import msgspec

from headrace.actors.statistics import Snapshot

Style = Literal["auto", "rich", "plain", "json", "none"]
Show = Callable[[Snapshot], None]

PLAIN_INTERVAL = 5.0
"""Seconds between two plain lines."""


@contextmanager
def display(style: Style, to_send: int | None, stream: TextIO | None = None) -> Generator[Show]:
    """Show snapshots in a style, on standard error unless told otherwise.

    ``to_send``: jobs of this run, None if unknown (a pipe).
    """
    to = stream or sys.stderr
    if style == "auto":
        style = "rich" if to.isatty() else "plain"
    match style:
        case "rich":
            with _live(to_send, to) as show:
                yield show
        case "plain":
            yield _at_most_every(PLAIN_INTERVAL, lambda snapshot: _print(to, plain_line(snapshot, to_send)))
        case "json":
            yield lambda snapshot: _print(to, msgspec.json.encode(snapshot).decode())
        case _:
            yield lambda _: None


def plain_line(snapshot: Snapshot, to_send: int | None) -> str:
    """The state of a run in one line."""
    finished = snapshot.results + snapshot.failed
    of = f"/{to_send:,}" if to_send is not None else ""
    rate = finished / snapshot.elapsed_s if snapshot.elapsed_s else 0.0
    parts = [
        f"{finished:,}{of} jobs",
        f"{rate:,.0f}/s",
        f"{snapshot.in_flight:,} in flight",
        f"{snapshot.waiting:,} waiting",
        f"bound by {snapshot.bottleneck}",
    ]
    parts += [f"{snapshot.failed:,} failed"] if snapshot.failed else []
    parts += [f"{snapshot.rate_limited:,} 429s"] if snapshot.rate_limited else []
    parts += [f"{_duration((to_send - finished) / rate)} left"] if to_send is not None and rate else []
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


def _print(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def _at_most_every(interval: float, show: Show) -> Show:
    shown_at = 0.0

    def sparing(snapshot: Snapshot) -> None:
        nonlocal shown_at
        if snapshot.elapsed_s >= shown_at + interval:
            shown_at = snapshot.elapsed_s
            show(snapshot)

    return sparing


@contextmanager
def _live(to_send: int | None, stream: TextIO) -> Generator[Show]:
    # Imported here because rich costs 40 ms, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    progress = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.percentage:>3.0f}%" if to_send else ""),
        TextColumn("{task.description}"),
        console=Console(file=stream),
        auto_refresh=False,
        transient=True,
        expand=True,
    )
    task = progress.add_task("starting", total=to_send)

    def show(snapshot: Snapshot) -> None:
        finished = snapshot.results + snapshot.failed
        progress.update(task, completed=finished, description=plain_line(snapshot, to_send), refresh=True)

    with suppress(OSError):  # if there is no terminal any more, the first look says so
        progress.start()
    try:
        yield show
    finally:
        with suppress(OSError):
            progress.stop()
