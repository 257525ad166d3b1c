"""JSON as it goes over the wire: compact, UTF-8, nothing that JSON does not have.

Bodies are written by the standard library, because msgspec writes NaN as null without a word;
answers are read by msgspec.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec


def encode(value: object) -> bytes:
    """Return ``value`` as compact JSON.

    Dates become ISO 8601, models their fields that were set, other iterables arrays. Raises `ValueError`
    for NaN and infinities, `TypeError` for what JSON has no form for.
    """
    return _ENCODER.encode(value).encode()


def decode(data: bytes | str) -> Any:
    """Return what the JSON text says as builtins. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(data)


def _to_builtin(value: object) -> object:
    match value:
        case dt.datetime() | dt.date():
            return value.isoformat()
        case Mapping():
            return dict(cast("Mapping[object, object]", value))
        case msgspec.Struct():
            return _fields(value)
        case Iterable() if not isinstance(value, bytes | bytearray | memoryview):
            return list(cast("Iterable[object]", value))
        case _:
            raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _fields(model: msgspec.Struct) -> object:
    to_dict = getattr(model, "to_dict", None)  # our BaseModel knows which fields were set
    if to_dict is None:
        return msgspec.to_builtins(model)
    return to_dict(mode="json", exclude_unset=True)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_to_builtin)
