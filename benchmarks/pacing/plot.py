"""An SVG plot without a library: a row per scenario, a dot per program; time left, 429s right."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from benchmarks._plot import line_of, text_at

from .measured import Paced

_COLOURS: Final = ("#0b6e4f", "#d1495b", "#f2a541", "#30638e", "#7b2d26", "#5fad56")
_ROW, _TOP, _LABELS, _PANEL, _GAP = 34, 70, 270, 270, 40
_MAX_RATIO: Final = 3.0
"""Programs that take longer, or lose jobs, are at the right edge."""
_TIMES: Final = (1.0, 1.5, 2.0, 2.5)
_REFUSALS: Final = (0.0, 1.0, 10.0, 100.0, 1_000.0)


def plot(measured: Sequence[Paced]) -> str:
    """Return an SVG. A hollow dot means that jobs were lost."""
    names = list(dict.fromkeys(one.name for one in measured))
    scenarios = list(dict.fromkeys(one.scenario for one in measured))
    bottom = _TOP + _ROW * len(scenarios)
    width, height = _LABELS + 2 * _PANEL + 2 * _GAP, bottom + 40
    colours = dict(zip(names, _COLOURS, strict=False))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="#fff"/>',
        *_legend(colours),
        *(text_at(_LABELS - 12, _y(row) + 4, name, anchor="end") for row, name in enumerate(scenarios)),
        *_axis("time over ideal", _TIMES, _time_x, bottom, [*(f"{time:g}" for time in _TIMES)]),
        text_at(_time_x(_MAX_RATIO), bottom + 16, "jobs lost, or 3 and more", anchor="middle"),
        *_axis("429s per 100 jobs", _REFUSALS, _refusals_x, bottom, [f"{value:,.0f}" for value in _REFUSALS]),
    ]
    for one in measured:
        y = _y(scenarios.index(one.scenario)) + 4 * (names.index(one.name) - (len(names) - 1) / 2)
        hollow = one.finished < one.possible
        x = _time_x(_MAX_RATIO if hollow else min(_MAX_RATIO, one.over_ideal))
        parts.append(_dot(x, y, colours[one.name], hollow=hollow))
        parts.append(_dot(_refusals_x(one.refused_per_100), y, colours[one.name], hollow=hollow))
    return "\n".join([*parts, "</svg>", ""])


def _legend(colours: Mapping[str, str]) -> list[str]:
    x, parts = 14.0, list[str]()
    for name, colour in colours.items():
        parts += [_dot(x, 16, colour, hollow=False), text_at(x + 9, 20, name, colour=colour)]
        x += 34 + 6.4 * len(name)
    return parts


def _axis(
    title: str, values: Sequence[float], place: Callable[[float], float], bottom: float, labels: Sequence[str]
) -> list[str]:
    lines = [line_of(place(value), _TOP - 10, place(value), bottom, "#ddd") for value in values]
    texts = [
        text_at(place(value), bottom + 16, label, anchor="middle")
        for value, label in zip(values, labels, strict=True)
    ]
    return [*lines, *texts, text_at(place(values[0]), _TOP - 18, title)]


def _y(row: int) -> float:
    return _TOP + _ROW * (row + 0.5)


def _time_x(time: float) -> float:
    return _LABELS + (time - 1) / (_MAX_RATIO - 1) * _PANEL


def _refusals_x(refusals: float) -> float:
    share = math.log10(1 + refusals) / math.log10(1 + _REFUSALS[-1])
    return _LABELS + _PANEL + 2 * _GAP + share * (_PANEL - _GAP)


def _dot(x: float, y: float, colour: str, *, hollow: bool) -> str:
    fill = "#fff" if hollow else colour
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{fill}" stroke="{colour}" stroke-width="1.8"/>'
