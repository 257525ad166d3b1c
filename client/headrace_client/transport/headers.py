"""Header fields: parsed from a raw head, and checked before they are sent (RFC 9110 section 5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_FORBIDDEN_IN_VALUE = re.compile(rb"[\x00\r\n]")


class Headers(Mapping[str, str]):
    """Header fields by case-insensitive name; the values of a repeated name are joined with ``", "``.

    ``raw``: the fields as received, in order, as pairs of bytes. Bytes are decoded as Latin-1, because HTTP
    defines no other meaning for bytes outside ASCII (RFC 9110 section 5.5).
    """

    __slots__ = ("_joined", "raw")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self.raw = tuple(raw)
        joined: dict[str, str] = {}
        for name_bytes, value_bytes in self.raw:
            name, value = name_bytes.decode("latin-1").lower(), value_bytes.decode("latin-1")
            joined[name] = f"{joined[name]}, {value}" if name in joined else value
        self._joined = joined

    @classmethod
    def parse(cls, head: bytes) -> Headers:
        """Parse a raw head: a start line, field lines and an empty line, each with CRLF at its end."""
        lines = head.split(b"\r\n")[1:]
        split = (line.partition(b":") for line in lines if line)
        return cls((name, value.strip(b" \t")) for name, _, value in split)

    def __getitem__(self, name: str) -> str:
        return self._joined[name.lower()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._joined

    def __iter__(self) -> Iterator[str]:
        return iter(self._joined)

    def __len__(self) -> int:
        return len(self._joined)

    def __repr__(self) -> str:
        return f"Headers({self._joined!r})"


def encode_field(name: str, value: str) -> bytes:
    """Return the field as a line to send, including CRLF.

    Raises `ValueError` for a name that is not a token, and for a value with CR, LF or NUL, which could
    smuggle in another field or request. The message does not contain the value, because it may be a key.
    """
    raw_name = name.encode("latin-1", "replace")
    if not _TOKEN.fullmatch(raw_name):
        raise ValueError(f"{name!r} is not a valid header name")
    try:
        raw_value = value.strip(" \t").encode("latin-1")
    except UnicodeEncodeError:
        raise ValueError(f"the value of the header {name!r} has characters outside Latin-1") from None
    if _FORBIDDEN_IN_VALUE.search(raw_value):
        raise ValueError(f"the value of the header {name!r} contains CR, LF or NUL")
    return b"%b: %b\r\n" % (raw_name, raw_value)
