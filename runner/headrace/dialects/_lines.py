"""Reading one line of input. Whatever the bytes are: a value, or `BadLine` with a short reason.

The whole line is decoded once to builtins, although the body goes through untouched: that is what
proves UTF-8, surrogate pairs and numbers, which msgspec does not look at in what it skips
(1.3 us for 1 KB).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects._template import MISSING, field_names, look_up

from ._records import DECODE_ERRORS, encode

MAX_ID_LENGTH: Final = 256

_ANY: Final = msgspec.json.Decoder()
_HALF_PAIR: Final = re.compile(rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|[c-fC-F])")


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the line's JSON object as builtins, all of it validated."""
    try:
        value = _ANY.decode(line)
    except DECODE_ERRORS as error:
        raise unreadable(error, line) from error
    if type(value) is not dict:
        raise BadLine("the line is no JSON object")
    return cast("dict[str, Any]", value)


def unreadable(error: Exception, line: bytes) -> BadLine:
    """Say why msgspec could not read a line."""
    if isinstance(error, RecursionError):
        return BadLine("the line is nested too deeply")
    if isinstance(error, UnicodeError):
        return BadLine("the line is not valid UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return BadLine(f"the line does not fit: {str(error)[:80]}")
    if _HALF_PAIR.search(line):
        return BadLine("the line holds half of a surrogate pair (\\ud800 to \\udfff), which no text has")
    reason = str(error).removeprefix("JSON is malformed: ")[:80]
    return BadLine(f"the line is no valid JSON: {reason}")


def require_unique(line: bytes, keys: re.Pattern[bytes]) -> None:
    """Raise `BadLine` if an object of the line has a key twice, given that one that ``keys`` finds does.

    Readers differ in which of the two they take. Looking for the quoted keys that decide over the request
    costs 1 us; only a suspicion is worth the exact look (8 us): ``"model"`` may be a mere value.
    """
    found = keys.findall(line)
    if len(found) != len(set(found)):
        require_all_unique(line)


def require_all_unique(line: bytes) -> None:
    """Raise `BadLine` if any object of the line has a key twice."""
    try:
        json.loads(line, object_pairs_hook=_unique)
    except RecursionError as error:
        raise unreadable(error, line) from error


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadLine(f"the key {quoted(twice)} stands twice in one object")
    return found


def quoted(text: str) -> str:
    """Return text of the line for a message: escaped, at most 80 characters."""
    escaped = ascii(text)
    return escaped if len(escaped) <= 80 else escaped[:77] + "..."


def check_id(value: object, name: str) -> str:
    """Return an id of 1 to 256 characters without control characters; integers become decimal text."""
    if type(value) is str and value.isprintable() and 0 < len(value) <= MAX_ID_LENGTH:
        return value  # nearly always
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise BadLine(f"{name} must be a string")
    if not 0 < len(value) <= MAX_ID_LENGTH:
        raise BadLine(f"{name} must have 1 to {MAX_ID_LENGTH} characters, not {len(value)}")
    if any(unicodedata.category(char) in _CONTROL for char in value):
        raise BadLine(f"{name} holds control characters: {quoted(value)}")
    return value


_CONTROL: Final = frozenset({"Cc", "Zl", "Zp"})


_T = TypeVar("_T", str, int, bool)


def optional(fields: Mapping[str, object], key: str, kind: type[_T]) -> _T | None:
    """Return a body's value of a key; None where it is absent or null. Raises `BadLine` for another type."""
    value = fields.get(key)
    if value is not None and type(value) is not kind:  # `is` keeps booleans out of the integers
        raise BadLine(f"{key} must be {_NAMES[kind]}")
    return cast("_T | None", value)


_NAMES: Final[Mapping[type, str]] = {str: "a string", int: "an integer", bool: "true or false"}


def required_object(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the body of a request, which is an object."""
    value = fields.get(key)
    if type(value) is not dict:
        raise BadLine(f"{key} must be an object: the body of the request")
    return cast("dict[str, Any]", value)


def required_model(fields: Mapping[str, object]) -> str:
    """Return a body's model."""
    model = optional(fields, "model", str)
    if not model:
        raise BadLine("the request names no model (--model gives one to every line)")
    return model


def field_id(row: Mapping[str, object], field: str) -> str:
    """Return the id that ``--id-field`` names."""
    value = look_up(row, field)
    if value is MISSING:
        raise BadLine(f"the line has no field {quoted(field)} for its id")
    return check_id(value, quoted(field))


def keep_fields(row: Mapping[str, object], names: Sequence[str]) -> bytes | None:
    """Return one JSON object of the named fields that the line has; None if none are asked for."""
    if not names:
        return None
    found = {name: value for name in names if (value := look_up(row, name)) is not MISSING}
    return encode(found)


class _Id(msgspec.Struct, gc=False):
    custom_id: str | None = None


_DECODE_ID: Final = msgspec.json.Decoder(_Id).decode


def identify_custom_id(line: bytes) -> str | None:
    """Return the line's ``custom_id`` (0.8 us for 1 KB)."""
    try:
        own_id = _DECODE_ID(line).custom_id
    except DECODE_ERRORS as error:
        raise unreadable(error, line) from error
    return None if own_id is None else check_id(own_id, "custom_id")


def identify_by(line: bytes, field: str | None) -> str | None:
    """Return the id that ``--id-field`` names, None without the option (the line is not even decoded)."""
    return None if field is None else field_id(decode_object(line), field)


def check_fields(line: bytes, *named: tuple[str, Sequence[str]]) -> None:
    """Raise `RunRefused` if the input's first line lacks a field that an option names: (option, fields)."""
    row = decode_object(line)
    for option, names in named:
        for name in names:
            if look_up(row, name) is MISSING:
                lacking = f"{option} names the field {name!r}, which the first line lacks"
                raise RunRefused(
                    f"{lacking}; it has: {field_names(row)}" + _HINTS.get(option, "").format(name)
                )


_BRACES: Final = "; for literal braces write {{{{{}}}}}"
_HINTS: Final = {"--prompt": _BRACES, "--system": _BRACES}
