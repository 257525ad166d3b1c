"""Prompt templates: ``{question}`` and ``{meta.source}`` in a text stand for fields of a row.

What counts as a name: one or more segments joined by single dots, each of one or more letters, digits (of
any script), ``_`` or ``-``. The braces hold nothing else, no blank either. ``{a.b}`` is the row's own key
``a.b`` if it has one, else the key ``b`` of the object under ``a``. Only keys of JSON objects are looked up,
never attributes, and arrays have no keys.

Strings go in as they are, other values as compact JSON. What went in is never scanned again.

``{{`` and ``}}`` are literal braces. Any other brace group (``{"label": 1}``, ``{}``) stays as it is, but
names within it are still filled in. Braces are matched from the left, so that the end of a nested group,
``{"a": {"b": 1}}``, is no literal brace: ``}}`` stands for one brace where it closes a ``{{`` or nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, cast

import attrs
import msgspec

from headrace._exceptions import BadLine


class Missing(Enum):
    """The type of `MISSING`."""

    MISSING = "missing"


MISSING: Final = Missing.MISSING
"""What `look_up` returns where a row has no such field (None is a value: JSON's null)."""


class FieldMissing(BadLine):
    """A row has not all the fields that a template names."""


@attrs.frozen
class Field:
    """A place in a template that a row's field fills."""

    name: str


@attrs.frozen
class Template:
    """A compiled template: literal texts and fields in order."""

    pieces: tuple[str | Field, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names in order of appearance, each once."""
        return tuple(dict.fromkeys(piece.name for piece in self.pieces if isinstance(piece, Field)))

    def render(self, row: Mapping[str, object]) -> str:
        """Return the text with the row's values. Raises `FieldMissing`."""
        return "".join([piece if isinstance(piece, str) else _text(row, piece.name) for piece in self.pieces])


def compile_template(text: str) -> Template:
    """Return the template that a text says. Every text is one."""
    pieces: list[str | Field] = []
    literal = ""
    opened: list[str] = []
    for token, name in _TOKENS.findall(text):
        if name:
            pieces += [literal, Field(name)]
            literal = ""
        else:
            literal += _literal(token, opened)
    return Template(tuple(piece for piece in [*pieces, literal] if piece))


_TOKENS: Final = re.compile(r"(\{([\w-]+(?:\.[\w-]+)*)\}|\{\{?|\}+|[^{}]+)")


def _literal(token: str, opened: list[str]) -> str:
    """Return what a token without a name says; ``opened`` has the groups that are open, ``{`` or ``{{``."""
    if token[0] == "{":
        opened.append(token)
        return "{"
    return _closed(len(token), opened) if token[0] == "}" else token


def _closed(braces: int, opened: list[str]) -> str:
    """Return what a run of closing braces says."""
    said = ""
    while braces:
        single = bool(opened) and opened[-1] == "{"
        pair = not single and braces > 1
        if opened and (single or pair):
            opened.pop()
        braces -= 1 + pair
        said += "}"
    return said


def look_up(row: Mapping[str, object], name: str) -> object:
    """Return the field of a row that a name (``a`` or ``a.b``) stands for, or `MISSING`."""
    if name in row:
        return row[name]
    value: Any = row
    for key in name.split("."):
        if not isinstance(value, dict) or key not in value:
            return MISSING
        value = cast("dict[str, Any]", value)[key]
    return value


def _text(row: Mapping[str, object], name: str) -> str:
    value = look_up(row, name)
    if value is MISSING:
        raise FieldMissing(f"no field {name!r} for the prompt; there are: {field_names(row)}")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def field_names(row: Mapping[str, object]) -> str:
    """Return the fields of a row for a message: at most 300 characters."""
    names = ", ".join(ascii(name)[1:-1] for name in row) or "none"
    return names if len(names) <= 300 else names[:300] + " ..."
