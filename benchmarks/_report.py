"""Tables of what was measured: medians, the spread of the rounds, ratios within a round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from ._suites import SUITES, Measured

RESULTS: Final = Path(__file__).parent / "results"
"""Where figures, tables and plots are written."""
FIRST = {"alone": "wrk", "client": "AsyncAnthropic of headrace_client, trio"}
"""What the others of a suite are compared with, where it is not ``headrace run``."""


def tables(measured: Sequence[Measured]) -> str:
    """Return Markdown: a table for each suite that was measured."""
    parts: list[str] = []
    for key, suite in SUITES.items():
        own = [one for one in measured if one.suite == key]
        if own:
            parts.append(f"### {suite.title}\n\n{_table(own, FIRST.get(key, 'headrace run'))}")
    return "\n\n".join(parts) + "\n"


def _table(measured: Sequence[Measured], first: str) -> str:
    rungs = sorted({one.in_flight for one in measured})
    names = list(dict.fromkeys(one.name for one in measured))
    lines = [
        "| CPU us a job (times as much) | "
        + " | ".join(f"{rung} in flight" for rung in rungs)
        + " | RSS MB |",
        "|---" * (len(rungs) + 2) + "|",
    ]
    for name in names:
        cells = [_cell(measured, name, first, rung) for rung in rungs]
        rss = max(one.rss_mb for one in measured if one.name == name)
        lines.append(f"| {name} | {' | '.join(cells)} | {rss:.0f} |")
    return "\n".join(lines)


def _cell(measured: Sequence[Measured], name: str, first: str, in_flight: int) -> str:
    own = _of(measured, name, in_flight)
    if not own:
        return "-"
    bad = sum(one.wrong + one.missing for one in own)
    errors = f"; {bad:,} not answered" if bad else ""
    text = f"{median(one.cpu_us for one in own):.1f}, {median(one.rate for one in own):,.0f}/s"
    found = ratio(measured, name, first, in_flight)
    if name != first and found is not None:
        text += f" ({found[0]:.1f}x, {found[1]:.1f}-{found[2]:.1f})"
    return text + errors


def ratio(
    measured: Sequence[Measured], name: str, first: str, in_flight: int
) -> tuple[float, float, float] | None:
    """Return how many times as much CPU as ``first`` it took within a round: median, least and most."""
    base = {one.round: one.cpu_us for one in _of(measured, first, in_flight)}
    ratios = [one.cpu_us / base[one.round] for one in _of(measured, name, in_flight) if one.round in base]
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def cost(measured: Sequence[Measured], name: str, in_flight: int) -> float | None:
    """Return the median of the CPU time, in us a job."""
    own = _of(measured, name, in_flight)
    return median(one.cpu_us for one in own) if own else None


def share_of_ideal(measured: Sequence[Measured], name: str, in_flight: int, latency: float) -> float | None:
    """Return the throughput as a share of what so many in flight allow at that latency."""
    own = _of(measured, name, in_flight)
    return median(one.rate for one in own) * latency / in_flight if own else None


def _of(measured: Iterable[Measured], name: str, in_flight: int) -> list[Measured]:
    return [one for one in measured if one.name == name and one.in_flight == in_flight and not one.problem]
