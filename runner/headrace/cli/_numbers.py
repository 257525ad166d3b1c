"""Numbers on the command line."""

from __future__ import annotations

import math
from typing import Any

import click


class _Number(click.FloatRange):
    """A range of numbers. NaN is in none: no comparison keeps it out, and it waits for ever."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


NOT_NEGATIVE = _Number(min=0)
POSITIVE = _Number(min=0, min_open=True)
SHARE = _Number(min=0, min_open=True, max=1)
