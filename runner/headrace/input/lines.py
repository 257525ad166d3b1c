"""From chunks of bytes to lines. Only LF ends a line: U+2028 and NUL are content."""

from __future__ import annotations

from hashlib import blake2b

import attrs
import msgspec

_BOM = b"\xef\xbb\xbf"


class Oversized(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is kept of a line that is too long: its length in bytes and its digest."""

    size: int
    digest: str


class InputLine(msgspec.Struct, frozen=True, gc=False):
    """One nonblank line of the input."""

    number: int
    """Counted from 1, blank lines included."""
    source: str | None
    """The file's name if the run reads several, else None."""
    text: bytes
    """The line without BOM and line ending; empty when ``oversized``."""
    oversized: Oversized | None = None
    """Set if the line is longer than allowed; none of its text is kept."""


@attrs.define
class LineCutter:
    """Cuts bytes into lines at each LF, in linear time whatever the chunks."""

    _chunks: list[bytes] = attrs.field(factory=list[bytes])
    pending: int = 0
    """Bytes since the last LF."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their LF."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._chunks:
            lines[0] = b"".join((*self._chunks, lines[0]))
        if lines:
            self._chunks.clear()
            self.pending = 0
        if rest:
            self._chunks.append(rest)
            self.pending += len(rest)
        return lines

    def take_rest(self) -> bytes:
        """Return the bytes after the last LF, and forget them."""
        rest = b"".join(self._chunks)
        self._chunks.clear()
        self.pending = 0
        return rest


@attrs.define
class LineSplitter:
    """Splits one file into numbered lines. Of a line over ``max_line`` bytes, only size and digest are kept.

    A BOM before the first line and a CR before an LF are part of neither text nor digest.
    """

    source: str | None
    max_line: int
    _number: int = 0
    _cutter: LineCutter = attrs.field(factory=LineCutter)
    _long: _LongLine | None = None

    def feed(self, data: bytes) -> list[InputLine]:
        """Return the nonblank lines that ``data`` completes."""
        found: list[InputLine] = []
        if self._long is not None:
            head, newline, data = data.partition(b"\n")
            self._long.add(head)
            if not newline:
                return found
            found.append(self._end_long(self._long))
        found += self._lines(self._cutter.feed(data))
        if self._cutter.pending > self.max_line + len(_BOM) + 1:
            self._start_long(self._cutter.take_rest())
        return found

    def finish(self) -> list[InputLine]:
        """Return the last line if no line ending follows it."""
        if self._long is not None:
            return [self._end_long(self._long)]
        rest = self._cutter.take_rest()
        return self._lines([rest]) if rest else []

    def _lines(self, texts: list[bytes]) -> list[InputLine]:
        # Hot: runs per line of the input.
        found: list[InputLine] = []
        source, max_line, first = self.source, self.max_line, self._number + 1
        if texts and first == 1:
            texts[0] = texts[0].removeprefix(_BOM)
        for number, text in enumerate(texts, first):
            if text.endswith(b"\r"):
                text = text[:-1]
            if len(text) > max_line:
                size, digest = len(text), blake2b(text, digest_size=8).hexdigest()
                found.append(InputLine(number, source, b"", Oversized(size=size, digest=digest)))
            elif text and not text.isspace():
                found.append(InputLine(number, source, text))
        self._number += len(texts)
        return found

    def _start_long(self, head: bytes) -> None:
        self._number += 1
        self._long = _LongLine()
        self._long.add(head.removeprefix(_BOM) if self._number == 1 else head)

    def _end_long(self, line: _LongLine) -> InputLine:
        self._long = None
        return InputLine(self._number, self.source, b"", line.measured())


class _LongLine:
    """A line whose text is not kept: only its size and digest are."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=8)
        self._size = 0
        self._held = b""

    def add(self, data: bytes) -> None:
        # A CR at the end is held back: it is part of the line only if more of the line follows.
        if not data:
            return
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(b"\r")
        self._hash.update(data)
        self._size += len(data)

    def measured(self) -> Oversized:
        return Oversized(size=self._size, digest=self._hash.hexdigest())
