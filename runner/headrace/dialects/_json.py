"""JSON as a record needs it: one line for every reader, whatever the server sent."""

from __future__ import annotations

from typing import Final

import msgspec

from headrace_client.lowlevel import decode_json

_ENCODE: Final = msgspec.json.Encoder().encode
_LINE_SEPARATORS: Final = (
    ("\x85", b"\\u0085"),  # str.splitlines() splits here too
    ("\u2028", b"\\u2028"),
    ("\u2029", b"\\u2029"),
)


DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""Everything that msgspec raises for bytes that it cannot decode."""


def decode_or_none(body: bytes | str) -> object:
    """Return the value of a JSON text, read leniently; None if it is not one, or is nested too deep."""
    try:
        return decode_json(body)
    except DECODE_ERRORS:
        return None


def is_json(text: bytes) -> bool:
    """Return whether bytes are a JSON text for every reader."""
    try:
        msgspec.json.decode(text)
    except DECODE_ERRORS:
        return False
    return True


def encode(value: object) -> bytes:
    """Return a value as one line of JSON."""
    return _without_separators(_ENCODE(value))


def as_text(body: bytes) -> bytes:
    """Return bytes that are not JSON as a JSON string, one line for every reader."""
    return encode(body.decode(errors="replace"))


def one_line(body: bytes) -> bytes:
    """Return JSON as one line for every reader; in most cases these are the same bytes.

    ``body`` is well-formed JSON whose strings may not be UTF-8 (msgspec's Raw, or a Struct that skipped
    them). Raises `UnicodeDecodeError` if they are not. In well-formed JSON, CR and LF occur only between
    tokens, the other line separators only inside strings, where an escape means the same.
    """
    if body.find(b"\n") >= 0 or body.find(b"\r") >= 0:  # at half the price of `in`
        body = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return _without_separators(body)


def _without_separators(body: bytes) -> bytes:
    if body.isascii():
        return body
    text = body.decode()
    for separator, escape in _LINE_SEPARATORS:
        if separator in text:
            body = body.replace(separator.encode(), escape)
    return body
