"""JSON on the wire: compact, UTF-8, without extensions such as NaN. `encoding` has the rules for values."""

from __future__ import annotations

from typing import Any

import msgspec

from .encoding import encode

__all__ = ["decode", "encode"]


def decode(data: bytes | str) -> Any:
    """Decode JSON text to builtins. Raises `msgspec.DecodeError`."""
    return msgspec.json.decode(data)
