"""What a run shows while it works: a bar on a terminal, a line every few seconds, JSON, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Literal, TextIO

import msgspec

from headrace.actors.statistics import Snapshot
from headrace.run.format import duration_text
from headrace.run.progress_bar import open_bar

Style = Literal["auto", "rich", "plain", "json", "none"]
Show = Callable[[Snapshot], None]

PLAIN_INTERVAL = 5.0
"""Seconds between two plain lines."""


@contextmanager
def display(style: Style, to_send: int | None, stream: TextIO | None = None) -> Generator[Show]:
    """Give what shows a snapshot, in a style. ``to_send``: jobs of this run, None if unknown (a pipe).

    ``stream``: standard error by default.
    """
    to = stream or sys.stderr
    if style == "auto":
        style = "rich" if to.isatty() else "plain"
    match style:
        case "rich":
            with _live(to_send, to) as show:
                yield show
        case "plain":
            yield _at_intervals(PLAIN_INTERVAL, lambda snapshot: _print(to, plain_line(snapshot, to_send)))
        case "json":
            yield lambda snapshot: _print(to, msgspec.json.encode(snapshot).decode())
        case _:
            yield lambda _: None


def plain_line(snapshot: Snapshot, to_send: int | None) -> str:
    """Return the state of a run in one line."""
    finished = snapshot.results + snapshot.failed
    of = f"/{to_send:,}" if to_send is not None else ""
    rate = finished / snapshot.elapsed_s if snapshot.elapsed_s else 0.0
    parts = [
        f"{finished:,}{of} jobs",
        f"{rate:,.0f}/s",
        f"{snapshot.in_flight:,} in flight",
        f"{snapshot.waiting:,} waiting",
        f"bottleneck: {snapshot.bottleneck}",
    ]
    parts += [f"{snapshot.failed:,} failed{_by_kind(snapshot)}"] if snapshot.failed else []
    counts = (
        (snapshot.rate_limited, "429s"),
        (snapshot.maybe_billed, "maybe billed"),
        (snapshot.truncated, "cut at max_tokens"),
        (snapshot.refusals, "refusals"),
        (snapshot.refused_answers, "refused answers"),
        (snapshot.usage_unknown, "without usage"),
    )
    parts += [f"{count:,} {name}" for count, name in counts if count]
    parts += [f"{duration_text((to_send - finished) / rate)} left"] if to_send is not None and rate else []
    return ", ".join(parts)


def _by_kind(snapshot: Snapshot) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(snapshot.failures.items()))
    return f" ({kinds})" if kinds else ""


def _print(stream: TextIO, line: str) -> None:
    stream.write(line + "\n")
    stream.flush()


def _at_intervals(interval: float, show: Show) -> Show:
    """Pass on one snapshot per interval, in seconds."""
    shown_at = 0.0

    def show_when_due(snapshot: Snapshot) -> None:
        nonlocal shown_at
        if snapshot.elapsed_s >= shown_at + interval:
            shown_at = snapshot.elapsed_s
            show(snapshot)

    return show_when_due


@contextmanager
def _live(to_send: int | None, stream: TextIO) -> Generator[Show]:
    with open_bar(to_send, stream, text="starting", transient=True) as draw:
        yield lambda snapshot: draw(snapshot.results + snapshot.failed, plain_line(snapshot, to_send))
