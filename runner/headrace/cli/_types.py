"""Types of values on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.types import FloatParamType, IntParamType

from headrace.policy.checks import Range

INPUT_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
OUTPUT_FILE = click.Path(dir_okay=False, path_type=Path)


class Integer(IntParamType):
    """An integer within a range."""

    def __init__(self, bounds: Range) -> None:
        self._bounds = bounds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        number = super().convert(value, param, ctx)
        if problem := self._bounds.problem(number):
            self.fail(problem, param, ctx)
        return number


class Number(FloatParamType):
    """A number within a range."""

    name = "number"  # for the message about a text that is not one

    def __init__(self, bounds: Range) -> None:
        self._bounds = bounds

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if problem := self._bounds.problem(number):
            self.fail(problem, param, ctx)
        return number


def read_range(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    """Read a number or a range like ``20-200``."""
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal() and 1 <= int(low) <= int(high or low)):
        raise click.BadParameter(f"{text!r} is neither a number nor a range like 20-200")
    return int(low), int(high or low)
