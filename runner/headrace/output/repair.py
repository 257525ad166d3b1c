"""Changes to a file of records that lose nothing if the program dies halfway.

Bytes to be removed are first appended to a backup, which is synced. To change a file in its middle, a new
file is written and renamed. After a crash, bytes may be kept twice, but are never lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from headrace.output.recovery import Recovery, Span
from headrace.output.storage import Storage, append_all, read_chunks, storage_errors


def repair_end(storage: Storage, path: Path, recovery: Recovery) -> list[str]:
    """Cut off a torn end, or complete the last line; return notices for the user. Raises `StorageFailed`."""
    if recovery.torn is not None:
        kept = backup(storage, path, [recovery.torn], f"torn-{recovery.torn.start}")
        with storage_errors("repair", path):
            storage.truncate(path, recovery.size)
        return [f"cut a torn end of {_length(recovery.torn)} bytes off {path}; a copy is in {kept}"]
    if recovery.unterminated:
        with storage_errors("repair", path):
            append_all(storage, path, b"\n")
        recovery.size += 1
    return []


def backup(storage: Storage, path: Path, spans: Iterable[Span], suffix: str) -> Path:
    """Append spans of a file to the file with this suffix next to it, and sync that; return its path.

    Raises `StorageFailed`.
    """
    kept = path.with_name(f"{path.name}.{suffix}")
    with storage_errors("write", kept):
        _copy(storage, path, spans, kept)
    return kept


def remove(storage: Storage, path: Path, spans: Iterable[Span], size: int) -> int:
    """Atomically replace a file of ``size`` bytes by one without the spans; return the new size.

    Raises `StorageFailed`.
    """
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
        for chunk in read_chunks(storage, path, span.start, span.end):
            append_all(storage, to, chunk)
            copied += len(chunk)
    storage.sync(to)
    return copied


def _length(span: Span) -> str:
    return f"{span.end - span.start:,}"
