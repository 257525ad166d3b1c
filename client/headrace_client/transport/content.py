"""Content codings undone, with a bound on what comes out (RFC 9110 section 8.4.1).

A compressed bomb grows a thousandfold, so the bound is on the decoded bytes and holds inside each step:
never more than what is still allowed, plus one byte, is inflated.
"""

from __future__ import annotations

import zlib

from .errors import ProtocolViolation, ResponseTooLarge

_EXPANSION_FLOOR = 64 * 1024 * 1024
_EXPANSION_RATIO = 100
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_ZLIB_WINDOW = zlib.MAX_WBITS
_RAW_WINDOW = -zlib.MAX_WBITS


class Inflater:
    """Undoes gzip or deflate for one body."""

    def __init__(self, coding: str) -> None:
        self._gzip = coding == "gzip"
        self._inflate = zlib.decompressobj(_GZIP_WINDOW if self._gzip else _ZLIB_WINDOW)
        self._begun = False

    def feed(self, data: bytes, room: int) -> bytes:
        """Return what ``data`` decodes to. Raises `ResponseTooLarge` if that is more than ``room`` bytes."""
        parts: list[bytes] = []
        while data:
            self._prepare(data[0])
            inflate = self._inflate
            try:
                part = inflate.decompress(data, room + 1)
            except zlib.error as error:
                raise ProtocolViolation(f"the body is not valid {self._name}: {error}") from error
            room -= len(part)
            if room < 0:
                raise ResponseTooLarge("the decoded body passed the limit")
            parts.append(part)
            data = inflate.unconsumed_tail or inflate.unused_data
        return b"".join(parts)

    def finish(self) -> None:
        """Take the end of the body. Raises `ProtocolViolation` if it was cut short; an empty one is fine."""
        if self._begun and not self._inflate.eof:
            raise ProtocolViolation(f"the {self._name} body ended too early")

    @property
    def _name(self) -> str:
        return "gzip" if self._gzip else "deflate"

    def _prepare(self, first: int) -> None:
        """Have the decompressor ready for bytes that begin with ``first``."""
        if not self._begun and not self._gzip and first & 0x0F != zlib.DEFLATED:
            # "deflate" means the zlib format, but some servers send the raw one: the first byte tells.
            self._inflate = zlib.decompressobj(_RAW_WINDOW)
        self._begun = True
        if self._inflate.eof:
            if not self._gzip:
                raise ProtocolViolation("bytes follow the end of the deflate body")
            self._inflate = zlib.decompressobj(_GZIP_WINDOW)  # a body may have several members (RFC 1952)


class ExpansionGuard:
    """Watches a compressed body that somebody else decodes, by decoding it on the side.

    A bomb is told from a large file by its ratio: text shrinks to a tenth, rarely to a fiftieth; a bomb to a
    thousandth. ``compressed``: there is something to watch.
    """

    def __init__(self, content_encoding: str) -> None:
        self._inflater = inflater_for(content_encoding)
        self.compressed = self._inflater is not None
        self._room = _EXPANSION_FLOOR

    def feed(self, data: bytes) -> None:
        """Take a piece of the body. Raises `ResponseTooLarge` for a bomb, `ProtocolViolation`."""
        if self._inflater is not None:
            self._room += len(data) * _EXPANSION_RATIO
            self._room -= len(self._inflater.feed(data, self._room))


def inflater_for(content_encoding: str) -> Inflater | None:
    """Return what undoes the codings of a ``content-encoding`` header, None if there is nothing to undo.

    Raises `ProtocolViolation` for codings that were not asked for and are not known here.
    """
    coding = content_encoding.strip(" \t").lower()
    if coding in {"", "identity"}:
        return None
    if coding in {"gzip", "x-gzip"}:
        return Inflater("gzip")
    if coding == "deflate":
        return Inflater("deflate")
    raise ProtocolViolation(f"the body has a content coding that was not asked for: {coding[:40]!r}")
