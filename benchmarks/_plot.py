"""An SVG plot without a library: CPU time per job over the number in flight, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from ._report import cost
from ._suites import Measured

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 760, 400, 60, 270, 20, 45
_COLOURS: Final = ("#0b6e4f", "#5fad56", "#f2a541", "#d1495b", "#7b2d26", "#30638e")


def plot(measured: Sequence[Measured]) -> str:
    """Return an SVG of one suite's medians."""
    names = list(dict.fromkeys(one.name for one in measured))
    levels = sorted({one.in_flight for one in measured})
    points = {
        name: [(level, value) for level in levels if (value := cost(measured, name, level))] for name in names
    }
    values = [value for line in points.values() for _, value in line]
    low = 10 ** math.floor(math.log10(min(values)))
    high = 10 ** math.ceil(math.log10(max(values)))

    def x(level: float) -> float:
        return _LEFT + _share(level, levels[0], levels[-1]) * (_WIDTH - _LEFT - _RIGHT)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - _share(value, low, high) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif"'
        ' font-size="12"><rect width="100%" height="100%" fill="#fff"/>'
    ]
    decade = low
    while decade <= high:
        parts.append(line_of(_LEFT, y(decade), _WIDTH - _RIGHT, y(decade), "#ddd"))
        parts.append(text_at(_LEFT - 6, y(decade) + 4, f"{decade:,.0f}", anchor="end"))
        decade *= 10
    parts += [text_at(x(level), _HEIGHT - 25, f"{level:,}", anchor="middle") for level in levels]
    parts.append(text_at((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 8, "jobs in flight", anchor="middle"))
    parts.append(text_at(4, 13, "CPU us per job"))
    for name, colour in zip(points, _COLOURS, strict=False):
        line = points[name]
        if line:
            path = " ".join(f"{x(level):.1f},{y(value):.1f}" for level, value in line)
            parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
            parts.append(text_at(_WIDTH - _RIGHT + 8, y(line[-1][1]) + 4, name, colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if low == high else math.log(value / low) / math.log(high / low)


def line_of(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def text_at(x: float, y: float, text: str, *, anchor: str = "start", colour: str = "#333") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{text}</text>'
