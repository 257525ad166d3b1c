"""Halves of surrogate pairs, which servers cut apart and which no UTF-8 can express (pure)."""

from __future__ import annotations

import re
from typing import Any, Final, cast

_HALF: Final = re.compile("[\ud800-\udfff]")


def with_whole_characters(text: str) -> str:
    """Return a text with U+FFFD for each half of a surrogate pair; two halves that meet are joined."""
    if text.isascii() or _HALF.search(text) is None:
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def without_halves(value: Any) -> Any:
    """Return decoded JSON whose texts and keys have only whole characters; see `with_whole_characters`."""
    match value:
        case str():
            return with_whole_characters(value)
        case list():
            return [without_halves(item) for item in cast("list[Any]", value)]
        case dict():
            items = cast("dict[str, Any]", value).items()
            return {with_whole_characters(key): without_halves(item) for key, item in items}
        case _:
            return value
