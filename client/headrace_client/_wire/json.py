"""JSON on the wire: compact, UTF-8, without extensions such as NaN.

The standard library encodes request bodies, because msgspec silently writes NaN as null. msgspec decodes
responses.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import msgspec


def encode(value: object) -> bytes:
    """Return ``value`` as compact JSON.

    Dates are written as ISO 8601, models as the fields that were set, other iterables as arrays. Raises
    `ValueError` for NaN and infinities, `TypeError` for a value that JSON cannot express.
    """
    return _ENCODER.encode(value).encode()


def decode(data: bytes | str) -> Any:
    """Decode JSON text to builtins. Raises `msgspec.DecodeError`."""
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
    to_dict = getattr(model, "to_dict", None)  # `BaseModel` knows which fields were set
    if to_dict is None:
        return msgspec.to_builtins(model)
    return to_dict(mode="json", exclude_unset=True)


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_to_builtin)
