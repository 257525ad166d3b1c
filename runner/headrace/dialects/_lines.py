"""Reading one line of input. Any bytes give a value, or `BadLine` with a short reason.

The whole line is decoded once to builtins, although the body is passed through untouched. Only this
validates UTF-8, surrogate pairs and numbers, which msgspec does not check in what it skips (1.3 us for 1 KB).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar, cast

import msgspec

from headrace._exceptions import BadLine, RunRefused

from ._json import DECODE_ERRORS, encode
from ._template import MISSING, field_names, look_up

MAX_ID_LENGTH: Final = 256

_ANY: Final = msgspec.json.Decoder()
_ENCODE: Final = msgspec.json.Encoder().encode
_LONE_SURROGATE: Final = re.compile(rb"\\u[dD](?:[89abAB]..(?!\\u[dD][c-fC-F])|[c-fC-F])")
_NOT_A_NUMBER: Final = re.compile(rb"(?:^|[:,\[])\s*-?(?:NaN|Infinity)\b")
_COMPRESSED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xfd7zXZ", b"BZh", b"PK\x03\x04")
"""How files of gzip, zstd, xz, bzip2 and zip begin."""


def decode_object(line: bytes) -> dict[str, Any]:
    """Return the line's JSON object as builtins, with everything in it validated. Raises `BadLine`."""
    try:
        value = _ANY.decode(line)
    except DECODE_ERRORS as error:
        raise unreadable(error, line) from error
    if type(value) is not dict:
        raise BadLine("the line is not a JSON object")
    return cast("dict[str, Any]", value)


def unreadable(error: Exception, line: bytes) -> BadLine:
    """Return the `BadLine` for a line that msgspec could not decode."""
    if isinstance(error, RecursionError):
        return BadLine("the line is nested too deeply")
    if line.startswith(_COMPRESSED):
        return BadLine("the file is compressed: decompress it first")
    if b"\0" in line:
        return BadLine("the line contains NUL bytes, as UTF-16 does: save the file as UTF-8")
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        where = f"byte 0x{line[wrong.start]:02x} at position {wrong.start}"
        return BadLine(f"the line is not valid UTF-8: {where}; save the file as UTF-8")
    if isinstance(error, msgspec.ValidationError):
        return BadLine(f"the line does not fit the format: {str(error)[:80]}")
    if _LONE_SURROGATE.search(line):
        return BadLine("the line contains a lone surrogate (\\ud800 to \\udfff), which is not valid text")
    if _NOT_A_NUMBER.search(line):
        return BadLine("the line contains NaN or Infinity, which JSON does not have: write null instead")
    reason = str(error).removeprefix("JSON is malformed: ")[:80]
    return BadLine(f"the line is not valid JSON: {reason}")


def require_unique(line: bytes, fields: Mapping[str, object]) -> None:
    """Raise `BadLine` if an object in the line has a key twice: parsers differ in which of the two they take.

    ``fields``: the decoded line. Each key has a colon, which is gone from what was decoded if the key comes
    twice. So the exact check (8 us) is needed only if the numbers of colons differ, or if one of them may be
    escaped; to compare them takes 2 us for 1 KB.
    """
    try:
        if line.count(b":") == _ENCODE(fields).count(b":") and b"\\u003" not in line:
            return
        require_all_unique(line)
    except RecursionError as error:
        raise unreadable(error, line) from error


def require_all_unique(text: bytes | str) -> None:
    """Raise `BadLine` if any object in a JSON text has a key twice, `RecursionError` if it is too deep."""
    json.loads(text, object_pairs_hook=_unique, parse_int=_ignore, parse_float=_ignore)


def _ignore(number: str) -> str:
    return number  # Python refuses to convert integers of more than 4,300 digits


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadLine(f"the key {quoted(twice)} occurs twice in one object")
    return found


def quoted(text: str) -> str:
    """Return text from the line for a message: escaped, at most 80 characters."""
    escaped = ascii(text)
    return escaped if len(escaped) <= 80 else escaped[:77] + "..."


def check_id(value: object, name: str) -> str:
    """Return an id: 1 to 256 characters without control characters. Integers become decimal text.

    Raises `BadLine` for anything else; ``name`` names the field in its message.
    """
    if type(value) is str and value.isprintable() and 0 < len(value) <= MAX_ID_LENGTH:
        return value  # nearly always
    if type(value) is int:
        value = str(value)
    if type(value) is not str:
        raise BadLine(f"{name} must be a string")
    if not 0 < len(value) <= MAX_ID_LENGTH:
        raise BadLine(f"{name} must have 1 to {MAX_ID_LENGTH} characters, not {len(value)}")
    if any(unicodedata.category(char) in _CONTROL for char in value):
        raise BadLine(f"{name} contains control characters: {quoted(value)}")
    return value


_CONTROL: Final = frozenset({"Cc", "Zl", "Zp"})


_T = TypeVar("_T", str, int, bool)


def optional(fields: Mapping[str, object], key: str, kind: type[_T]) -> _T | None:
    """Return a body's value of a key; None if it is absent or null. Raises `BadLine` for another type."""
    value = fields.get(key)
    if value is not None and type(value) is not kind:  # `is` keeps booleans out of the integers
        raise BadLine(f"{key} must be {_NAMES[kind]}")
    return cast("_T | None", value)


_NAMES: Final[Mapping[type, str]] = {str: "a string", int: "an integer", bool: "true or false"}


def required_object(fields: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the body of the line's request. Raises `BadLine` unless it is an object."""
    value = fields.get(key)
    if type(value) is not dict:
        raise BadLine(f"{key} must be an object: the body of the request")
    return cast("dict[str, Any]", value)


def required_model(fields: Mapping[str, object]) -> str:
    """Return the model that a body names. Raises `BadLine` if it names none."""
    model = optional(fields, "model", str)
    if not model:
        raise BadLine(
            "the request does not name a model; set one there, or for all jobs with --model (model)"
        )
    return model


def field_id(row: Mapping[str, object], field: str) -> str:
    """Return the id in the field that ``--id-field`` names. Raises `BadLine`."""
    value = look_up(row, field)
    if value is MISSING:
        raise BadLine(f"the line has no field {quoted(field)}, which --id-field names")
    return check_id(value, quoted(field))


def keep_fields(row: Mapping[str, object], names: Sequence[str]) -> bytes | None:
    """Return the named fields that the line has as one JSON object; None without ``names``."""
    if not names:
        return None
    found = {name: value for name in names if (value := look_up(row, name)) is not MISSING}
    return encode(found)


class _Id(msgspec.Struct, gc=False):
    custom_id: str | None = None


_DECODE_ID: Final = msgspec.json.Decoder(_Id).decode


def identify_custom_id(line: bytes) -> str | None:
    """Return the line's ``custom_id``, None if it has none (0.8 us for 1 KB). Raises `BadLine`."""
    try:
        own_id = _DECODE_ID(line).custom_id
    except DECODE_ERRORS as error:
        raise unreadable(error, line) from error
    return None if own_id is None else check_id(own_id, "custom_id")


def identify_by(line: bytes, field: str | None) -> str | None:
    """Return the id in the field that ``--id-field`` names. Raises `BadLine`.

    None without the option: then the line is not even decoded.
    """
    return None if field is None else field_id(decode_object(line), field)


def check_fields(line: bytes, *named: tuple[str, Sequence[str]]) -> None:
    """Raise `RunRefused` if the first line of the input lacks a field that an option names.

    ``named``: options, each with the fields that it names. Raises `BadLine` if the line is not an object.
    """
    row = decode_object(line)
    for option, names in named:
        for name in names:
            if look_up(row, name) is MISSING:
                missing = f"{option} names the field {name!r}, which is missing from the first line"
                raise RunRefused(
                    f"{missing}; its fields: {field_names(row)}" + _HINTS.get(option, "").format(name)
                )


_BRACES: Final = "; for literal braces write {{{{{}}}}}"
_HINTS: Final = {"--prompt": _BRACES, "--system": _BRACES}
