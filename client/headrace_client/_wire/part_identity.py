"""Which part of a list a piece belongs to: by number, id and name, of which servers leave out any (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol, cast

import msgspec

from .json import decode

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
    return key if isinstance(key, str) and key.strip() else None


def is_another(piece: HasMembers, part: HasMembers) -> bool:
    """Return whether a piece names itself otherwise than the part under its number.

    Some servers make up a new id for each piece of a call, without its name. Those belong to the call until
    it has all its arguments.
    """
    begins = begins_call(piece, part)
    if _is_nameless(piece) and not begins:
        return False
    if any(new and old and new != old for new, old in zip(_names(piece), _names(part), strict=True)):
        return True
    return begins and not _is_nameless(piece)


def is_rest_of_call(piece: HasMembers) -> bool:
    """Return whether a piece brings some of a tool's input, and nothing that says which tool it is for."""
    call = _call_of(piece)
    return (
        call is not None and _is_nameless(piece) and not is_empty(call.get("arguments") or call.get("input"))
    )


def _is_nameless(piece: HasMembers) -> bool:
    call = _call_of(piece)
    return call is not None and is_empty(call.get("name"))


def _names(part: HasMembers) -> tuple[Any, Any, Any]:
    call = _call_of(part)
    return id_of(part) or part.get("id"), part.get("type"), call and call.get("name")


def _call_of(part: HasMembers) -> HasMembers | None:
    """Return what a tool call is about: its function, or its custom tool."""
    return _members(part.get("function")) or _members(part.get("custom"))


def begins_call(piece: HasMembers, part: HasMembers) -> bool:
    """Return whether a piece begins the arguments of a call, although those of a part are complete.

    Servers without ids and numbers send each call as a whole.
    """
    if not arguments_of(piece).lstrip().startswith("{"):
        return False
    try:
        return isinstance(decode(arguments_of(part)), dict)
    except msgspec.DecodeError:
        return False


def arguments_of(part: HasMembers) -> str:
    """Return the arguments of a tool call so far, ``""`` if they are not text."""
    call = _call_of(part)
    match call and call.get("arguments"):
        case str(text):
            return text
        case [*pieces] if all(isinstance(piece, str) for piece in pieces):
            return "".join(pieces)
        case _:
            return ""


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
