"""What a crash left of a file of records: which parts are whole, torn, lost, or damaged.

Records are appended in whole lines, so after a kill only the end can be torn. A power failure can also lose
pages that were never synced: they read as zeros, at the end or (when writes were reordered) before pages that
were saved. JSON contains no NUL, so a line with a NUL is such a gap. Therefore:

1. An unterminated end is a record that lacks only its LF, or else it is torn.
2. A terminated line that is not JSON is a gap if it contains a NUL. Gaps at the end belong to the torn end.
3. Anything else is damage that no crash causes: `Damaged` is raised, and the file is left alone.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import attrs
import msgspec

from headrace.input.lines import LineCutter

_T = TypeVar("_T")


class Damaged(Exception):
    """``offset`` bytes from its start, the file contains something that no crash leaves behind."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"damaged at byte {offset}")
        self.offset = offset


class Span(msgspec.Struct, frozen=True, gc=False):
    """Bytes of a file, from ``start`` up to but not including ``end``."""

    start: int
    end: int


class Spans:
    """Spans in the order of the file, in 16 bytes each."""

    def __init__(self) -> None:
        self._edges = array("Q")

    def append(self, span: Span) -> None:
        self._edges.append(span.start)
        self._edges.append(span.end)

    def __len__(self) -> int:
        return len(self._edges) // 2

    def __iter__(self) -> Iterator[Span]:
        return (Span(*self._edges[place : place + 2]) for place in range(0, len(self._edges), 2))


@attrs.define
class Recovery:
    """What was found in a file; complete once `find_records` is exhausted."""

    records: int = 0
    size: int = 0
    """Bytes up to the end of the last whole record: the size to truncate the file to."""
    torn: Span | None = None
    """The torn end: to be cut off, after a backup."""
    unterminated: bool = False
    """The last whole record lacks its LF: to be appended."""
    gaps: Spans = attrs.field(factory=Spans)
    """Lost pages between whole records: to be removed."""

    def take_record(self, end: int, gaps: list[Span]) -> None:
        """Count a whole record. The gaps since the previous one lie between records."""
        self.records += 1
        self.size = end
        for gap in gaps:
            self.gaps.append(gap)
        gaps.clear()


def find_records(
    chunks: Iterable[bytes], read: Callable[[bytes], _T | None], recovery: Recovery, *, trusted: bool
) -> Iterator[tuple[Span, _T]]:
    """Yield each whole record with its span, LF included (even if the LF is still to be appended).

    ``read`` returns None for a line that is not JSON. ``trusted``: headrace is known to be its writer.
    At the end, ``recovery`` says what was found besides records; blank lines are ignored. Raises `Damaged`.
    """
    cutter = LineCutter()
    start = 0
    gaps: list[Span] = []
    for chunk in chunks:
        for line in cutter.feed(chunk):
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
        if not (_may_be_torn(rest) if trusted or recovery.records else _must_be_torn(rest) and not gaps):
            raise Damaged(start)
        recovery.torn = Span(recovery.size, end)


def _may_be_torn(rest: bytes) -> bool:
    return not rest.strip() or rest.startswith(b"{") or b"\0" in rest


def _must_be_torn(rest: bytes) -> bool:
    # Without a whole record, the file may be another program's, unless it is half a first record or zeros.
    return rest.startswith(b"{") or not rest.strip(b"\0")
