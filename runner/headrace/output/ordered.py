"""The ordered copy of an output: the same records in the order of the input (``--ordered``).

The journal itself stays in completion order. The input is read once more, and each line's record is found by
its id and copied; records that belong to no line of this input are left out. The copy is put in place by a
rename once it is complete: a run that dies before leaves the old copy, and the same command makes the new
one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace._exceptions import BadLine
from headrace.dialects import LineFormat
from headrace.input.files import Inputs
from headrace.input.identity import Identities, digest
from headrace.input.scan import identify
from headrace.output.paths import OutputPaths
from headrace.output.record_files import RecordPositions
from headrace.output.storage import Storage, append_all, storage_errors

_WRITE_SIZE = 1024 * 1024


def write_ordered(
    storage: Storage, paths: OutputPaths, inputs: Inputs, line_format: LineFormat, identities: Identities
) -> Path:
    """Write the results in the order of ``inputs`` and return the path. Raises `StorageFailed`.

    ``identities``: new ones, for reading the input from its beginning.
    """
    positions = RecordPositions.scan(storage, paths.results)
    new = paths.ordered.with_name(f"{paths.ordered.name}.new")
    with storage_errors("write", new):
        storage.truncate(new, 0)
        for lines in _joined(_records(positions, _ids(inputs, line_format, identities))):
            append_all(storage, new, lines)
        storage.sync(new)
        storage.rename(new, paths.ordered)
    return paths.ordered


def _ids(inputs: Inputs, line_format: LineFormat, identities: Identities) -> Iterator[str]:
    for lines in inputs.scan():
        for line in lines:
            try:
                job_id, is_new = identities.name(identify(line, line_format), digest(line.text))
            except BadLine:
                continue
            if is_new:
                yield job_id


def _records(positions: RecordPositions, ids: Iterator[str]) -> Iterator[bytes]:
    for job_id in ids:
        record = positions.find(job_id)
        if record is not None:
            yield record


def _joined(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield about a megabyte of lines at a time, so that one write takes many."""
    group: list[bytes] = []
    size = 0
    for line in lines:
        group += (line, b"\n")
        size += len(line) + 1
        if size >= _WRITE_SIZE:
            yield b"".join(group)
            group, size = [], 0
    yield b"".join(group)
