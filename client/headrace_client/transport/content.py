"""Content codings, decoded with a bound on the result (RFC 9110 section 8.4.1).

A compressed bomb expands a thousandfold. So the bound is on the decoded bytes and applies within each step:
at most one byte more than the remaining limit is decoded.
"""

from __future__ import annotations

import zlib

from .errors import ProtocolViolation, ResponseTooLarge

_EXPANSION_FLOOR = 64 * 1024 * 1024
_EXPANSION_RATIO = 100
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW = zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


class Inflater:
    """Decodes gzip or deflate for one body."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding == "gzip"
        self._inflate = zlib.decompressobj(_GZIP_WINDOW if self._gzip else _ZLIB_WINDOW)
        self._begun = False

    def feed(self, data: bytes, room: int) -> bytes:
        """Decode ``data`` to ``room`` bytes at most. Raises `ResponseTooLarge` or `ProtocolViolation`."""
        parts: list[bytes] = []
        while data:
            if self._is_padding(data):
                break
            self._prepare(data[0])
            inflate = self._inflate
            try:
                part = inflate.decompress(data, room + 1)
            except zlib.error as error:
                raise ProtocolViolation(f"the body is not valid {self._name}: {error}") from error
            room -= len(part)
            if room < 0:
                raise ResponseTooLarge("the decoded body exceeds the limit")
            parts.append(part)
            data = inflate.unconsumed_tail or inflate.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        """Note the end of the body. Raises `ProtocolViolation` if it was cut off; an empty body is valid."""
        if self._begun and not self._inflate.eof:
            raise ProtocolViolation(f"the {self._name} body is cut off")

    @property
    def _name(self) -> str:
        return "gzip" if self._gzip else "deflate"

    def _is_padding(self, data: bytes) -> bool:
        """Return whether data after the end of a gzip body begins no further member: gzip ignores it."""
        return self._gzip and self._inflate.eof and not data.startswith(_GZIP_MAGIC[: len(data)])

    def _prepare(self, first: int) -> None:
        """Set up the decompressor for bytes that begin with ``first``. Raises `ProtocolViolation`."""
        if not self._begun and not self._gzip and first & 0x0F != zlib.DEFLATED:
            # "deflate" means the zlib format, but some servers send raw data; the first byte shows which.
            self._inflate = zlib.decompressobj(_RAW_WINDOW)
        self._begun = True
        if self._inflate.eof:
            if not self._gzip:
                raise ProtocolViolation("there is data after the end of the deflate body")
            self._inflate = zlib.decompressobj(_GZIP_WINDOW)  # a body may have several members (RFC 1952)


class ExpansionGuard:
    """Checks a compressed body that httpx decodes, by decoding it as well.

    The ratio distinguishes a bomb from a large file: text shrinks to a tenth, rarely to a fiftieth, a bomb
    to a thousandth. ``compressed``: whether there is anything to check. Raises `ProtocolViolation` for an
    unknown coding.
    """

    def __init__(self, content_encoding: str) -> None:
        self._inflater = inflater_for(content_encoding)
        self.compressed = self._inflater is not None
        self._room = _EXPANSION_FLOOR

    def feed(self, data: bytes) -> None:
        """Check the next part of the body. Raises `ResponseTooLarge` for a bomb, and `ProtocolViolation`."""
        if self._inflater is not None:
            self._room += len(data) * _EXPANSION_RATIO
            self._room -= len(self._inflater.feed(data, self._room))


class InflaterChain:
    """Decodes a body that was coded more than once. The bound holds for each step."""

    def __init__(self, inflaters: list[Inflater]) -> None:
        self._inflaters = inflaters

    def feed(self, data: bytes, room: int) -> bytes:
        """Decode ``data`` to ``room`` bytes at most. Raises `ResponseTooLarge` or `ProtocolViolation`."""
        for inflater in self._inflaters:
            data = inflater.feed(data, room)
        return data

    def finish(self) -> None:
        """Note the end of the body. Raises `ProtocolViolation` if it was cut off."""
        for inflater in self._inflaters:
            inflater.finish()


_UNREADABLE = frozenset({"br", "zstd", "compress", "dcb", "dcz"})
"""Codings that are not requested and cannot be decoded here."""


def inflater_for(content_encoding: str) -> Inflater | InflaterChain | None:
    """Return the decoder for a ``content-encoding`` header, None if there is nothing to decode.

    A list names the codings in the order in which they were applied. Words that are not codings, such as
    ``identity``, ``none`` and ``utf-8``, change nothing: servers confuse this header with others. Raises
    `ProtocolViolation` for a coding that was not requested.
    """
    inflaters: list[Inflater] = []
    for item in reversed(content_encoding.split(",")):
        coding = item.strip(' \t"').lower().removeprefix("x-")
        if coding in {"gzip", "deflate"}:
            inflaters.append(Inflater(coding))
        elif coding in _UNREADABLE:
            raise ProtocolViolation(f"the body has a content coding that was not requested: {coding!r}")
    return InflaterChain(inflaters) if len(inflaters) > 1 else next(iter(inflaters), None)
