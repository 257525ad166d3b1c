"""Prompt templates: ``{question}`` and ``{meta.source}`` in a text stand for fields of a row.

A name consists of one or more segments joined by single dots; a segment consists of letters, digits (of any
script), ``_`` and ``-``. The braces contain nothing else, not even a space. ``{a.b}`` is the row's own key
``a.b`` if it has one, else the key ``b`` of the object under ``a``. Only keys of JSON objects are looked up,
never attributes; arrays have no keys.

Strings are inserted as they are, other values as compact JSON. Inserted text is never scanned again.

``{{`` and ``}}`` are literal braces. Any other brace group (``{"label": 1}``, ``{}``) stays as it is, but
names inside it are filled in. Braces are matched from the left, so the end of a nested group such as
``{"a": {"b": 1}}`` is not a literal brace: ``}}`` means one brace only if it closes a ``{{`` or nothing.
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
"""What `look_up` returns for a field that the row does not have (None is a value: JSON's null)."""


@attrs.frozen
class Field:
    """A place in a template that a field of the row fills."""

    name: str


@attrs.frozen
class Template:
    """A compiled template: literal texts and fields in order."""

    parts: tuple[str | Field, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of the fields, in order of appearance, each once."""
        return tuple(dict.fromkeys(part.name for part in self.parts if isinstance(part, Field)))

    def render(self, row: Mapping[str, object]) -> str:
        """Return the text with the row's values filled in. Raises `BadLine` if the row lacks a field."""
        return "".join([part if isinstance(part, str) else _text(row, part.name) for part in self.parts])


def compile_template(text: str) -> Template:
    """Compile a text. Every text is a valid template."""
    parts: list[str | Field] = []
    literal = ""
    opened: list[str] = []
    for token, name in _TOKENS.findall(text):
        if name:
            parts += [literal, Field(name)]
            literal = ""
        else:
            literal += _literal(token, opened)
    return Template(tuple(part for part in [*parts, literal] if part))


_TOKENS: Final = re.compile(r"(\{([\w-]+(?:\.[\w-]+)*)\}|\{\{?|\}+|[^{}]+)")


def _literal(token: str, opened: list[str]) -> str:
    """Return the literal text of a token; ``opened``: the groups that are open, as ``{`` or ``{{``."""
    if token[0] == "{":
        opened.append(token)
        return "{"
    return _closed(len(token), opened) if token[0] == "}" else token


def _closed(braces: int, opened: list[str]) -> str:
    """Return the literal text of a run of closing braces."""
    text = ""
    while braces:
        single = bool(opened) and opened[-1] == "{"
        pair = not single and braces > 1
        if opened and (single or pair):
            opened.pop()
        braces -= 1 + pair
        text += "}"
    return text


def look_up(row: Mapping[str, object], name: str) -> object:
    """Return the value of the field that a name (``a`` or ``a.b``) stands for, or `MISSING`."""
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
        raise BadLine(f"the line has no field {name!r} for the prompt; its fields: {field_names(row)}")
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def field_names(row: Mapping[str, object]) -> str:
    """Return the names of a row's fields for a message: at most 300 characters."""
    names = ", ".join(ascii(name)[1:-1] for name in row) or "none"
    return names if len(names) <= 300 else names[:300] + " ..."
