"""JSON on the wire, read leniently. Request bodies are written strictly: `encoding` has the rules for them.

msgspec decodes responses. What it refuses is read once more, by the rules of Python's own ``json``: servers
are written in Python, and a paid answer must not be lost to what its encoder lets through.

1. A byte order mark is skipped; UTF-16 and UTF-32 are recognized.
2. NaN, infinities and numbers beyond the range of a float become null. So do integers of more than 309
   digits, which no reader of a record could convert.
3. Half a surrogate pair, as an escape or as bytes, becomes U+FFFD; two halves become their character.
4. Control characters in strings stay as they are.

The depth is bounded. Readers recurse and give up at different depths: the msgspec and ``json`` of Python 3.11
at 1,000 less the depth of the stack, jq at 256. Answers have fewer than 20 levels.
"""

from __future__ import annotations

import json
import math
import re
from itertools import accumulate
from typing import Any, Final

import msgspec

from .surrogates import without_halves

MAX_DEPTH: Final = 200
"""Levels of nesting that are read, far below what any reader of JSON gives up at."""

_MAX_DIGITS: Final = 309
"""As many as the largest float has."""


class TooDeepError(msgspec.DecodeError):
    """JSON is nested deeper than `MAX_DEPTH`."""

    def __init__(self) -> None:
        super().__init__(f"JSON is nested deeper than {MAX_DEPTH} levels")


def decode(data: bytes | str, *, keep_halves: bool = False) -> Any:
    """Decode JSON text to builtins, leniently if need be.

    ``keep_halves``: keep halves of surrogate pairs, because the other half may come with the next event.
    Raises `msgspec.DecodeError`, and its subclass `TooDeepError` for text that is nested too deep.
    """
    if is_deep(data):
        raise TooDeepError
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode_leniently(data, keep_halves=keep_halves)


def is_deep(data: bytes | str) -> bool:
    """Return whether JSON text is nested deeper than `MAX_DEPTH`.

    Short texts cannot be nested deep, nor can those with few brackets, and most texts have few. The rest is
    measured in linear time.
    """
    if len(data) <= MAX_DEPTH:
        return False
    data = data.encode(errors="replace") if isinstance(data, str) else data
    # Hot: removing what is rare takes 0.2 us for 1 KB, and `bytes.count` takes 1.2 us.
    objects = len(data) - len(data.replace(b"{", b"", MAX_DEPTH + 1))
    arrays = len(data) - len(data.replace(b"[", b"", MAX_DEPTH + 1))
    if objects + arrays <= MAX_DEPTH:
        return False
    brackets = _STRING.sub(b"", data).translate(_STEPS, delete=_NO_BRACKETS)
    return max(accumulate(memoryview(brackets).cast("b")), default=0) > MAX_DEPTH


def _decode_leniently(data: bytes | str, *, keep_halves: bool) -> Any:
    try:
        text = data if isinstance(data, str) else data.decode(json.detect_encoding(data), "surrogatepass")
        text = text.removeprefix("\ufeff")
        if is_deep(text):  # UTF-16, where the bytes of the brackets could not be counted
            raise TooDeepError
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        if isinstance(error, msgspec.DecodeError):
            raise
        raise msgspec.DecodeError(f"JSON is malformed: {error}") from error
    return value if keep_halves or not _MAY_HAVE_HALVES.search(text) else without_halves(value)


def _to_int(digits: str) -> int | None:
    return int(digits) if len(digits) <= _MAX_DIGITS else None


def _to_float(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None


def _to_null(_constant: str) -> None:
    """Read NaN and the infinities."""


_DECODER = json.JSONDecoder(strict=False, parse_int=_to_int, parse_float=_to_float, parse_constant=_to_null)
_MAY_HAVE_HALVES: Final = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"{[}]", b"\x01\x01\xff\xff")
"""As signed bytes: one level deeper for an opening bracket, one back for a closing one."""
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"{[}]"))
