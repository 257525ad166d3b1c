"""Validators of options. They name an option as Python does; the command line calls `Range.problem` first."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Any, Protocol

import attrs

from headrace._exceptions import RunRefused


class Named(Protocol):
    """The part of an attrs attribute that a validator needs."""

    @property
    def alias(self) -> str | None:
        """The name of the argument."""
        ...


@attrs.frozen(kw_only=True)
class Range:
    """Accepts numbers within bounds, and None. NaN is never within bounds."""

    above: float = -math.inf
    at_least: float = -math.inf
    at_most: float = math.inf

    def problem(self, value: object) -> str | None:
        """Say what a value must be, None if it is."""
        if not isinstance(value, Real):
            return "must be a number"
        number = float(value)
        if number > self.above and self.at_least <= number <= self.at_most:
            return None
        bounds = {"above": self.above, "at least": self.at_least, "at most": self.at_most}
        return "must be " + " and ".join(
            f"{words} {bound:,g}" for words, bound in bounds.items() if math.isfinite(bound)
        )

    def __call__(self, instance: object, attribute: Named, value: object) -> None:
        """Raise `RunRefused` for a value outside."""
        if value is not None:
            refuse(attribute, value, self.problem(value))


@attrs.frozen
class OneOf:
    """Accepts the members of a `Literal`, given by `typing.get_args`."""

    choices: Sequence[Any]

    def __call__(self, instance: object, attribute: Named, value: object) -> None:
        """Raise `RunRefused` for any other value."""
        if value not in self.choices:
            refuse(attribute, value, f"must be one of {', '.join(self.choices)}")


def refuse(attribute: Named, value: object, problem: str | None) -> None:
    """Raise `RunRefused` if there is a problem."""
    if problem is not None:
        raise RunRefused(f"{attribute.alias}={value!r}: {problem}")


COUNT = Range(at_least=1)
NOT_NEGATIVE = Range(at_least=0)
POSITIVE = Range(above=0)
SHARE = Range(above=0, at_most=1)
