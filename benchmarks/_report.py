"""Tables of the figures: medians, the spread of the rounds, and ratios within a round."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from ._suites import SUITES, Measured

RESULTS: Final = Path(__file__).parent / "results"
"""The folder for figures, tables and plots."""
FIRST = {"alone": "wrk", "client": "AsyncAnthropic of headrace_client, trio"}
"""By suite, the candidate that the others are compared with; ``headrace run`` in all other suites."""


def tables(measured: Sequence[Measured]) -> str:
    """Return Markdown: one table per suite that was measured."""
    parts: list[str] = []
    for key, suite in SUITES.items():
        own = [one for one in measured if one.suite == key]
        if own:
            parts.append(f"### {suite.title}\n\n{_table(own, FIRST.get(key, 'headrace run'))}")
    return "\n\n".join(parts) + "\n"


def _table(measured: Sequence[Measured], first: str) -> str:
    levels = sorted({one.in_flight for one in measured})
    names = list(dict.fromkeys(one.name for one in measured))
    lines = [
        "| CPU us per job (as a multiple) | "
        + " | ".join(f"{level} in flight" for level in levels)
        + " | RSS MB |",
        "|---" * (len(levels) + 2) + "|",
    ]
    for name in names:
        cells = [_cell(measured, name, first, level) for level in levels]
        rss = max(one.rss_mb for one in measured if one.name == name)
        lines.append(f"| {name} | {' | '.join(cells)} | {rss:.0f} |")
    return "\n".join(lines)


def _cell(measured: Sequence[Measured], name: str, first: str, in_flight: int) -> str:
    own = _of(measured, name, in_flight)
    if not own:
        return "-"
    bad = sum(one.wrong + one.missing for one in own)
    errors = f"; {bad:,} without a correct answer" if bad else ""
    text = f"{median(one.cpu_us for one in own):.1f}, {median(one.rate for one in own):,.0f}/s"
    found = ratio(measured, name, first, in_flight)
    if name != first and found is not None:
        text += f" ({found[0]:.1f}x, {found[1]:.1f}-{found[2]:.1f})"
    return text + errors


def ratio(
    measured: Sequence[Measured], name: str, first: str, in_flight: int
) -> tuple[float, float, float] | None:
    """Return its CPU time as a multiple of that of ``first`` in the same round: median, minimum, maximum."""
    base = {one.round: one.cpu_us for one in _of(measured, first, in_flight)}
    ratios = [one.cpu_us / base[one.round] for one in _of(measured, name, in_flight) if one.round in base]
    return (median(ratios), min(ratios), max(ratios)) if ratios else None


def cost(measured: Sequence[Measured], name: str, in_flight: int) -> float | None:
    """Return the median CPU time in microseconds per job, or None if it was not measured."""
    own = _of(measured, name, in_flight)
    return median(one.cpu_us for one in own) if own else None


def share_of_ideal(measured: Sequence[Measured], name: str, in_flight: int, latency: float) -> float | None:
    """Return the throughput as a share of ``in_flight / latency``, or None if it was not measured."""
    own = _of(measured, name, in_flight)
    return median(one.rate for one in own) * latency / in_flight if own else None


def _of(measured: Iterable[Measured], name: str, in_flight: int) -> list[Measured]:
    return [one for one in measured if one.name == name and one.in_flight == in_flight and not one.problem]
