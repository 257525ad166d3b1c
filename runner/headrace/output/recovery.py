"""What a crash left of a file of lines: which of it is whole, what is cut off, what is damage.

Records are appended in whole lines, so after a kill only the end can be torn. A power failure can besides
lose pages that were never synced: they come back as zeros, at the end or (reordered) before pages that were
saved. JSON has no NUL, so a line with one is such a hole. Therefore:

1. The unterminated end is a record that lacks only its LF, or else torn.
2. A terminated line that is no JSON is a hole if it has a NUL. Holes at the end belong to the torn end.
3. Everything else is damage that no crash does: `Damaged`, and nobody touches the file.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import attrs
import msgspec

from headrace.input.lines import LineCutter

T = TypeVar("T")


class Damaged(Exception):
    """The file holds what no crash of ours leaves behind, ``offset`` bytes from its start."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"damaged at byte {offset}")
        self.offset = offset


class Span(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a file: from ``start`` up to ``end``, not included."""

    start: int
    end: int


class Spans:
    """Many spans in the order of the file, 16 bytes each."""

    def __init__(self) -> None:
        self._edges = array("Q")

    def append(self, span: Span) -> None:
        """Take the next one."""
        self._edges.append(span.start)
        self._edges.append(span.end)

    def __len__(self) -> int:
        return len(self._edges) // 2

    def __iter__(self) -> Iterator[Span]:
        return (Span(*self._edges[place : place + 2]) for place in range(0, len(self._edges), 2))


@attrs.define
class Recovery:
    """What was found, complete once `records` is exhausted."""

    records: int = 0
    size: int = 0
    """Bytes up to the end of the last whole record: what the file is cut to."""
    torn: Span | None = None
    """What is cut off, to be kept elsewhere first."""
    unterminated: bool = False
    """The last whole record lacks its LF, which is to be appended."""
    gaps: Spans = attrs.field(factory=Spans)
    """Lost pages between whole records, to be taken out."""

    def take_record(self, end: int, gaps: list[Span]) -> None:
        """Count a whole record; the holes since the one before lie between records."""
        self.records += 1
        self.size = end
        for hole in gaps:
            self.gaps.append(hole)
        gaps.clear()


def records(
    pieces: Iterable[bytes], read: Callable[[bytes], T | None], recovery: Recovery, *, ours: bool
) -> Iterator[tuple[Span, T]]:
    """Yield each whole record with its place, its LF included (even one still to be appended).

    ``read`` returns None for what is no JSON. ``ours``: it is known that we wrote the file. What was found
    beside records is in ``recovery`` at the end; blank lines are passed over. Raises `Damaged`.
    """
    cutter = LineCutter()
    start = 0
    gaps: list[Span] = []
    for piece in pieces:
        for line in cutter.feed(piece):
            span = Span(start, start + len(line) + 1)
            start = span.end
            if (record := read(line)) is not None:
                recovery.take_record(span.end, gaps)
                yield span, record
            elif b"\0" in line:
                gaps.append(span)
            elif line.strip():
                raise Damaged(span.start)
            elif not gaps:
                recovery.size = span.end
    rest = cutter.take_rest()
    end = start + len(rest)
    if rest and (record := read(rest)) is not None:
        recovery.take_record(end, gaps)
        recovery.unterminated = True
        yield Span(start, end + 1), record
    elif end > recovery.size:
        if not (_may_be_torn(rest) if ours or recovery.records else _must_be_ours(rest) and not gaps):
            raise Damaged(start)
        recovery.torn = Span(recovery.size, end)


def _may_be_torn(rest: bytes) -> bool:
    return not rest.strip() or rest.startswith(b"{") or b"\0" in rest


def _must_be_ours(rest: bytes) -> bool:
    # Without one whole record the file may be anybody's: only half a first record, or zeros, are surely ours.
    return rest.startswith(b"{") or not rest.strip(b"\0")
