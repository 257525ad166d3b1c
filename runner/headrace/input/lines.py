"""From bytes, cut anywhere, to lines. Only LF ends a line: U+2028 and NUL are content."""

from __future__ import annotations

from hashlib import blake2b

import attrs
import msgspec

_BOM = b"\xef\xbb\xbf"


class Oversized(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What is known of a line that is too long to be held: its length and its digest."""

    size: int
    digest: str


class InputLine(msgspec.Struct, frozen=True, gc=False):
    """One line of the input that is not blank."""

    number: int
    """From 1, blank lines counted."""
    source: str | None
    """The file's name when the run reads several, else None."""
    text: bytes
    """The line without BOM and line ending; empty when ``oversized``."""
    oversized: Oversized | None = None
    """Set when the line is longer than allowed; nothing of its text was kept."""


@attrs.define
class LineCutter:
    """Cuts bytes into lines at each LF, in linear time however they are chunked."""

    _pieces: list[bytes] = attrs.field(factory=list[bytes])
    pending: int = 0
    """Bytes since the last LF."""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their LF."""
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._pieces:
            lines[0] = b"".join((*self._pieces, lines[0]))
        if lines:
            self._pieces.clear()
            self.pending = 0
        if rest:
            self._pieces.append(rest)
            self.pending += len(rest)
        return lines

    def take_rest(self) -> bytes:
        """Return what came after the last LF, and forget it."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        self.pending = 0
        return rest


@attrs.define
class LineSplitter:
    """Cuts one file into numbered lines; a line over ``max_line`` bytes is measured and digested, never held.

    A BOM before the first line and a CR before an LF belong to neither text nor digest.
    """

    source: str | None
    max_line: int
    _number: int = 0
    _cutter: LineCutter = attrs.field(factory=LineCutter)
    _long: _LongLine | None = None

    def feed(self, data: bytes) -> list[InputLine]:
        """Return the lines that ``data`` completes, without the blank ones."""
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
        # Per line of the input; benchmarked by the scan of a million lines.
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
    """A line whose text goes by: only its size and digest stay."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=8)
        self._size = 0
        self._held = b""

    def add(self, data: bytes) -> None:
        # A CR is held back: it belongs to the line only if more of the line follows.
        if not data:
            return
        data = self._held + data
        self._held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(b"\r")
        self._hash.update(data)
        self._size += len(data)

    def measured(self) -> Oversized:
        return Oversized(size=self._size, digest=self._hash.hexdigest())
