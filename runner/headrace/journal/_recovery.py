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

from ._lines import LineCutter

T = TypeVar("T")


class Damaged(Exception):
    """The file holds what no crash of ours leaves behind, ``offset`` bytes from its start."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"damaged at byte {offset}")
        self.offset = offset


@attrs.frozen
class Span:
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

    size: int = 0
    """Bytes up to the end of the last whole record: what the file is cut to."""
    torn: Span | None = None
    """What is cut off, to be kept elsewhere first."""
    unterminated: bool = False
    """The last whole record lacks its LF, which is to be appended."""
    holes: Spans = attrs.field(factory=Spans)
    """Lost pages between whole records, to be taken out."""


def records(
    pieces: Iterable[bytes], read: Callable[[bytes], T | None], recovery: Recovery
) -> Iterator[tuple[Span, T]]:
    """Yield each whole record with its place, line ending included; note the rest in ``recovery``.

    ``read`` returns None for what is no JSON. Raises `Damaged`.
    """
    cutter = LineCutter()
    start = 0
    holes: list[Span] = []
    for piece in pieces:
        for line in cutter.feed(piece):
            span = Span(start, start + len(line) + 1)
            start = span.end
            if (record := read(line)) is not None:
                _move(holes, recovery.holes)
                recovery.size = span.end
                yield span, record
            elif b"\0" in line:
                holes.append(span)
            else:
                raise Damaged(span.start)
    rest = cutter.take_rest()
    end = start + len(rest)
    if rest and (record := read(rest)) is not None:
        _move(holes, recovery.holes)
        recovery.size, recovery.unterminated = end, True
        yield Span(start, end), record
    elif end > recovery.size:
        if not _is_ours(rest, after_records=recovery.size > 0, after_holes=bool(holes)):
            raise Damaged(start)
        recovery.torn = Span(recovery.size, end)


def _move(spans: list[Span], to: Spans) -> None:
    for span in spans:
        to.append(span)
    spans.clear()


def _is_ours(rest: bytes, *, after_records: bool, after_holes: bool) -> bool:
    if after_records:
        return not rest or rest.startswith(b"{") or b"\0" in rest
    # A file without one whole record may be anybody's: only half a first record, or zeros, can be ours.
    return not after_holes and (rest.startswith(b"{") or not rest.strip(b"\0"))
