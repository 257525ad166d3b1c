"""Reading the records of earlier runs: all records of a file, or the record of one job."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs

from headrace._exceptions import RunRefused, StorageFailed
from headrace.dialects import BadRecord, RecordIdentity, is_json, read_identity
from headrace.input.identity import hash_key
from headrace.input.index import Index
from headrace.output.recovery import Damaged, Recovery, Span, find_records
from headrace.output.storage import Storage, read_all

_CHUNK_SIZE = 16 * 1024


@attrs.frozen
class RecordFile:
    """An output or error file, to be read once. ``recovery`` then says what else was in it."""

    storage: Storage
    path: Path
    trusted: bool
    """Whether headrace is known to have written the file."""
    recovery: Recovery = attrs.field(factory=Recovery)

    def records(self) -> Iterator[tuple[Span, RecordIdentity]]:
        """Yield each whole record, at 2 us per record.

        Raises `RunRefused` if the file is not an output of headrace, and `StorageFailed` if it is damaged or
        cannot be read.
        """
        chunks = read_all(self.storage, self.path)
        try:
            yield from find_records(chunks, read_record, self.recovery, trusted=self.trusted)
        except Damaged as damage:
            if not (self.trusted or self.recovery.records):
                raise RunRefused(f"{self.path} is not an output of headrace: name another output") from damage
            raise StorageFailed(
                f"{self.path} is damaged at byte {damage.offset:,}, and nothing was changed: "
                f"repair that line or move the file away"
            ) from damage


_FOREIGN = RecordIdentity(id=None, succeeded=False)


def read_record(line: bytes) -> RecordIdentity | None:
    """Return what is known of a line of an output or error file; None if it is not JSON."""
    try:
        return read_identity(line)
    except BadRecord:
        return _FOREIGN if is_json(line) else None


@attrs.frozen
class RecordPositions:
    """Where the record of each job begins, in 16 bytes of memory per record."""

    _storage: Storage
    _files: tuple[Path, ...]
    _index: Index
    """By the hash of the id: the offset of the record times the number of files, plus the file's number."""

    @classmethod
    def scan(cls, storage: Storage, *files: Path) -> RecordPositions:
        """Read files that headrace wrote. Raises as `RecordFile.records`."""
        index = Index()
        for number, path in enumerate(files):
            for span, record in RecordFile(storage, path, trusted=True).records():
                if record.id is not None:
                    index.add(hash_key(record.id), span.start * len(files) + number)
        index.sort()
        return cls(storage, files, index)

    def find(self, job_id: str) -> bytes | None:
        """Return the record of a job, without its LF; None if it has none. Raises `StorageFailed`."""
        entry = self._index.find_key(hash_key(job_id))
        if entry is None:
            return None
        start, number = divmod(self._index.digest(entry), len(self._files))
        return _line_at(self._storage, self._files[number], start)


def _line_at(storage: Storage, path: Path, start: int) -> bytes:
    chunks: list[bytes] = []
    try:
        while chunk := storage.read(path, start, _CHUNK_SIZE):
            head, newline, _ = chunk.partition(b"\n")
            chunks.append(head)
            if newline:
                break
            start += len(chunk)
    except OSError as error:
        raise StorageFailed.of("read", path, error) from error
    return b"".join(chunks)
