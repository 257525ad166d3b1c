"""Changes to a file of lines that lose nothing if the program dies in their middle.

Bytes that leave a file are first appended and synced elsewhere; in its middle a file is changed by writing
a new one and renaming it. After a crash the same may be kept twice, never not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from headrace.output.recovery import Recovery, Span
from headrace.output.storage import Storage, append_all, storage_errors

_CHUNK_SIZE = 1024 * 1024
_TO_THE_END = 2**63


def read_all(storage: Storage, path: Path) -> Iterator[bytes]:
    """Yield the file in pieces; nothing if there is no such file. Raises `StorageFailed`."""
    with storage_errors("read", path):
        try:
            yield from _read(storage, path, Span(0, _TO_THE_END))
        except FileNotFoundError:
            return


def repair_end(storage: Storage, path: Path, recovery: Recovery) -> list[str]:
    """Cut off what is torn, or end the last record's line; return what was done, for the user."""
    if recovery.torn is not None:
        kept = backup(storage, path, [recovery.torn], f"torn-{recovery.torn.start}")
        with storage_errors("mend", path):
            storage.truncate(path, recovery.size)
        return [f"{_length(recovery.torn)} bytes of a torn end were cut off {path}: kept in {kept}"]
    if recovery.unterminated:
        with storage_errors("mend", path):
            append_all(storage, path, b"\n")
        recovery.size += 1
    return []


def backup(storage: Storage, path: Path, spans: Iterable[Span], suffix: str) -> Path:
    """Append spans of a file to the one beside it with this suffix, and sync it; return its path."""
    kept = path.with_name(f"{path.name}.{suffix}")
    with storage_errors("write", kept):
        _copy(storage, path, spans, kept)
    return kept


def remove(storage: Storage, path: Path, spans: Iterable[Span], size: int) -> int:
    """Replace a file of ``size`` bytes, atomically, by itself without the spans; return the new size."""
    new = path.with_name(f"{path.name}.new")
    with storage_errors("write", new):
        storage.truncate(new, 0)
        new_size = _copy(storage, path, _between(spans, size), new)
        storage.rename(new, path)
    return new_size


def _between(spans: Iterable[Span], size: int) -> Iterator[Span]:
    start = 0
    for span in spans:
        yield Span(start, span.start)
        start = span.end
    yield Span(start, size)


def _copy(storage: Storage, path: Path, spans: Iterable[Span], to: Path) -> int:
    copied = 0
    for span in spans:
        for piece in _read(storage, path, span):
            append_all(storage, to, piece)
            copied += len(piece)
    storage.sync(to)
    return copied


def _read(storage: Storage, path: Path, span: Span) -> Iterator[bytes]:
    start = span.start
    while start < span.end and (piece := storage.read(path, start, min(_CHUNK_SIZE, span.end - start))):
        yield piece
        start += len(piece)


def _length(span: Span) -> str:
    return f"{span.end - span.start:,}"
