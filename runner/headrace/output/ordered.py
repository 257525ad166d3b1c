"""The ordered twin of an output: the same records in the order of the input (``--ordered``).

The journal stays as it is, in completion order. The input is read once more, each line's record is found by
its id, 16 bytes of memory a record, and copied; records of no line of this input are left out. The twin is
replaced by a rename when it is whole: a run that dies meanwhile leaves the old one, and the same command
makes the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace._exceptions import BadLine
from headrace.input.files import Inputs
from headrace.input.identity import Identities, digest, hash_key
from headrace.input.index import Index
from headrace.input.scan import ReadsJobs, require_job
from headrace.output.output import OutputPaths
from headrace.output.records import read_record
from headrace.output.recovery import Recovery, records
from headrace.output.repair import read_all
from headrace.output.storage import Storage, append_all, storage_errors

_CHUNK_SIZE = 16 * 1024
_GROUP = 1024 * 1024


def ordered_path(output: Path) -> Path:
    """``out.jsonl`` has ``out.ordered.jsonl`` beside it."""
    return output.with_name(f"{output.stem}.ordered{output.suffix}")


def output_files(paths: OutputPaths, *, ordered: bool) -> list[Path]:
    """The files that a run writes."""
    twin = [ordered_path(paths.results)] if ordered else []
    return [paths.results, paths.errors, paths.sidecar, *twin]


def write_ordered(
    storage: Storage, output: Path, inputs: Inputs, dialect: ReadsJobs, identities: Identities
) -> Path:
    """Write the records of ``output`` in the order of ``inputs``; return where. Raises `StorageFailed`.

    ``identities``: fresh ones, for reading the input from its beginning.
    """
    places = _places(storage, output)
    path = ordered_path(output)
    new = path.with_name(f"{path.name}.new")
    with storage_errors("write", new):
        storage.truncate(new, 0)
        for group in _groups(_in_order(storage, output, places, _ids(inputs, dialect, identities))):
            append_all(storage, new, group)
        storage.sync(new)
        storage.rename(new, path)
    return path


def _places(storage: Storage, output: Path) -> Index:
    """By the hash of its id, where each record begins."""
    places = Index()
    for span, record in records(read_all(storage, output), read_record, Recovery(), ours=True):
        if record.id is not None:
            places.add(hash_key(record.id), span.start)
    places.sort()
    return places


def _ids(inputs: Inputs, dialect: ReadsJobs, identities: Identities) -> Iterator[str]:
    for lines in inputs.scan():
        for line in lines:
            try:
                job_id, is_new = identities.name(require_job(line, dialect), digest(line.text))
            except BadLine:
                continue
            if is_new:
                yield job_id


def _in_order(storage: Storage, output: Path, places: Index, ids: Iterator[str]) -> Iterator[bytes]:
    for job_id in ids:
        entry = places.find_key(hash_key(job_id))
        if entry is not None:
            yield _line_at(storage, output, places.digest(entry))


def _line_at(storage: Storage, path: Path, start: int) -> bytes:
    pieces: list[bytes] = []
    while piece := storage.read(path, start, _CHUNK_SIZE):
        head, newline, _ = piece.partition(b"\n")
        pieces.append(head + newline)
        if newline:
            break
        start += len(piece)
    return b"".join(pieces)


def _groups(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Join lines to about a megabyte each: one write for many."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        group.append(line)
        size += len(line)
        if size >= _GROUP:
            yield b"".join(group)
            group, size = [], 0
    yield b"".join(group)
