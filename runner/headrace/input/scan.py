"""The look at all lines before the first request: how many jobs, which ids twice, which lines are none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

import attrs

from headrace._exceptions import BadLine, RunRefused
from headrace.input.files import InputLine, Inputs, Oversized
from headrace.input.identity import Identities, Ordinals, derived_id, digest, digest_number, index_key
from headrace.input.index import Index

OnDuplicate = Literal["refuse", "first"]
OnBadLine = Literal["record", "refuse"]


class ReadsJobs(Protocol):
    """The part of a dialect that a scan needs."""

    def identify(self, line: bytes) -> str | None:
        """The line's own id, None where there is none. Raises `BadLine`."""
        ...

    def read(self, line: bytes) -> object:
        """The whole job. Raises `BadLine`."""
        ...


@attrs.frozen(kw_only=True)
class InputScan:
    """What a scan found. It can be used for one run: its index is marked by the records."""

    index: Index
    jobs: int
    """Lines that get a result or an error record, without `bad_lines` and `duplicates`."""
    bad_lines: int
    """Lines that are no jobs, as far as their id shows."""
    duplicates: int
    """Later lines with an id that was there before: left out by ``--on-duplicate first``."""
    repeated: frozenset[int]
    """The digests of lines without ids that occur more than once."""
    duplicate_ids: frozenset[str]

    def identities(self) -> Identities:
        """What gives the lines their ids when they are read again."""
        return Identities(ordinals=Ordinals(self.repeated), duplicates=self.duplicate_ids)


def scan_inputs(
    inputs: Inputs,
    dialect: ReadsJobs,
    *,
    on_duplicate: OnDuplicate = "refuse",
    on_bad_line: OnBadLine = "record",
) -> InputScan:
    """Scan rereadable inputs, at 3 us a line. Raises `RunRefused` and `StorageFailed`."""
    index = Index()
    bad_lines = 0
    for line in _all_lines(inputs):
        try:
            job_id = require_job(line, dialect, whole=on_bad_line == "refuse")
        except BadLine as error:
            if on_bad_line == "refuse":
                raise RunRefused(f"{inputs.name_of(line)} is no job: {error}") from error
            bad_lines += 1
            continue
        line_digest = digest_number(line.text)
        index.add(line_digest if job_id is None else index_key(job_id)[0], line_digest)
    index.sort()
    repeated, suspects = index.shared()
    scan = InputScan(
        index=index,
        jobs=len(index),
        bad_lines=bad_lines,
        duplicates=0,
        repeated=repeated,
        duplicate_ids=frozenset(),
    )
    return _without_duplicates(scan, suspects, inputs, dialect, on_duplicate) if suspects else scan


def require_job(line: InputLine, dialect: ReadsJobs, *, whole: bool = False) -> str | None:
    """A line's own id. Raises `BadLine` if it is no job; only a look at the ``whole`` line finds all such."""
    if line.oversized is not None:
        raise too_long(line.oversized)
    if whole:
        dialect.read(line.text)
    return dialect.identify(line.text)


def too_long(line: Oversized) -> BadLine:
    """Say why a line was not read."""
    return BadLine(f"the line has {line.size:,} bytes: longer than --max-line allows")


def _without_duplicates(
    scan: InputScan, suspects: frozenset[int], inputs: Inputs, dialect: ReadsJobs, on_duplicate: OnDuplicate
) -> InputScan:
    """Read all again to tell duplicate ids from equal hashes, and index only the first line of each id."""
    index = Index()
    ordinals = Ordinals(scan.repeated)
    first: dict[str, str] = {}
    duplicates: set[str] = set()
    for line in _all_lines(inputs):
        try:
            own_id = require_job(line, dialect)
        except BadLine:
            continue
        line_digest = digest(line.text)
        job_id = own_id or derived_id(line_digest, ordinals.next(line_digest))
        key = index_key(job_id)[0]
        if key in suspects:
            if job_id in first:
                if on_duplicate == "refuse":
                    raise RunRefused(_same_id(job_id, first[job_id], inputs.name_of(line)))
                duplicates.add(job_id)
                continue
            first[job_id] = inputs.name_of(line)
        index.add(key, int(line_digest, 16))
    index.sort()
    return attrs.evolve(
        scan,
        index=index,
        jobs=len(index),
        duplicates=scan.jobs - len(index),
        duplicate_ids=frozenset(duplicates),
    )


def _same_id(job_id: str, first: str, second: str) -> str:
    shown = ascii(job_id if len(job_id) <= 60 else job_id[:60] + "...")
    return (
        f"{first} and {second} have the same id {shown}: "
        f"make them differ, or keep the first by --on-duplicate first"
    )


def _all_lines(inputs: Inputs) -> Iterator[InputLine]:
    for lines in inputs.scan():
        yield from lines
