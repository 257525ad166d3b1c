"""Which commands must be refused (P7), predicted from the records, the lines and the earlier commands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from .files import Record
from .jobs import Line


@attrs.define
class Recipes:
    """By recipe digest, the temperature of that recipe: the only part of it that changes."""

    _temperatures: dict[str, float] = attrs.field(factory=dict[str, float])

    def learn(self, records: Iterable[Record], temperature: float) -> None:
        """Note the temperature with which a run made its records."""
        for record in records:
            self._temperatures.setdefault(record.recipe, temperature)

    def changed(self, record: Record, line: Line, temperature: float) -> bool:
        """Whether a record was made from another line or with another recipe."""
        return record.digest != line.digest or self._temperatures[record.recipe] != temperature


def must_refuse(
    records: Sequence[Record],
    wanted: Mapping[str, Line],
    recipes: Recipes,
    temperature: float,
    options: Mapping[str, object],
) -> bool:
    """Whether a command on an output with these results must be refused."""
    if not records or options.get("restart"):
        return False
    ours = [(record, wanted[record.id]) for record in records if record.id and record.id in wanted]
    changed = any(recipes.changed(record, line, temperature) for record, line in ours)
    return not ours or (options["on_change"] == "refuse" and changed)
