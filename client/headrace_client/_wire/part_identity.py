"""Which part of a list a piece belongs to: by number, id and name, of which servers leave out any (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

GROWING: Final = frozenset(
    {
        "arguments",
        "content",
        "output_text",
        "partial_json",
        "reasoning",
        "reasoning_content",
        "reasoning_text",
        "refusal",
        "summary",
        "text",
        "thinking",
        "thinking_content",
        "thought",
        "transcript",
    }
)
"""Members that come in pieces in the APIs of OpenAI, Anthropic, DeepSeek, Mistral, OpenRouter or vLLM."""


class HasMembers(Protocol):
    """An object so far, or a piece of it."""

    def get(self, name: str, /) -> Any:
        """Return a member, None if there is none."""
        ...


def is_empty(value: object) -> bool:
    """Return whether a value carries nothing: null, or an empty text, list or object."""
    return value is None or value in ("", [], {})


def as_object(value: object) -> dict[str, Any] | None:
    """Return a JSON object as it is, None for anything else."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[Any] | None:
    """Return a JSON array as it is, None for anything else."""
    return cast("list[Any]", value) if isinstance(value, list) else None


def number_of(part: HasMembers) -> object:
    """Return the number of a part or block as a key, None without one. Servers send 1.0 and "1" as well."""
    number = part.get("index")
    if number is None or isinstance(number, int):
        return number
    try:
        return int(number)
    except (TypeError, ValueError, OverflowError):
        return repr(number)


def id_of(part: HasMembers) -> str | None:
    """Return the id of a part, None without one."""
    key = part.get("id")
    return key if isinstance(key, str) and key else None


def is_another(piece: HasMembers, part: HasMembers) -> bool:
    """Return whether a piece names itself otherwise than the part under its number."""
    return any(new and old and new != old for new, old in zip(_names(piece), _names(part), strict=True))


def _names(part: HasMembers) -> tuple[Any, Any, Any]:
    function = _members(part.get("function"))
    return part.get("id"), part.get("type"), function and function.get("name")


def _members(value: Any) -> HasMembers | None:
    return value if hasattr(value, "get") else None


def continues(piece: Mapping[str, Any], part: object) -> bool:
    """Return whether a piece without number and id is nothing but more of a part."""
    known = _members(part)
    if known is None:
        return False
    for name, value in piece.items():
        if name in GROWING or is_empty(value) or (name == "type" and value == known.get(name)):
            continue
        inner = as_object(value)
        if inner is None or not continues(inner, known.get(name)):
            return False
    return any(not is_empty(value) for name, value in piece.items() if name != "type")
