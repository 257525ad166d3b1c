"""The pass over all lines before the first request: counts jobs, finds duplicate ids and bad lines."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import LineFormat
from headrace.input.files import Inputs
from headrace.input.identity import Identities, Ordinals, derived_id, digest, digest_number, index_key
from headrace.input.index import Index
from headrace.input.lines import InputLine, Oversized
from headrace.policy.options import OnBadLine, OnDuplicate


@attrs.frozen(kw_only=True)
class InputScan:
    """What a scan found. Use it for one run only: records of earlier runs are marked in its index."""

    index: Index
    jobs: int
    """Lines that get a result or an error record, without `bad_lines` and `duplicates`."""
    bad_lines: int
    """Lines whose id could not be read. Other lines may still turn out to be bad when they are parsed."""
    duplicates: int
    """Lines with the id of an earlier line: left out with ``--on-duplicate first``."""
    repeated: frozenset[int]
    """The digests of lines without ids that occur more than once."""
    duplicate_ids: frozenset[str]

    def identities(self) -> Identities:
        """Return what gives the lines their ids when they are read again."""
        return Identities(ordinals=Ordinals(self.repeated), duplicates=self.duplicate_ids)


def scan_inputs(
    inputs: Inputs,
    line_format: LineFormat,
    *,
    on_duplicate: OnDuplicate = "refuse",
    on_bad_line: OnBadLine = "record",
) -> InputScan:
    """Scan rereadable inputs, at 3 us per line.

    Raises `RunRefused` for a duplicate id or a bad line that is to be refused, and `StorageFailed`.
    """
    index = Index()
    bad_lines = 0
    for line in _all_lines(inputs):
        try:
            job_id = identify(line, line_format)
            if on_bad_line == "refuse":
                line_format.read(line.text)
        except BadLine as error:
            if on_bad_line == "refuse":
                raise RunRefused(f"{inputs.name_of(line)} cannot be parsed: {error}") from error
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
    return _without_duplicates(scan, suspects, inputs, line_format, on_duplicate) if suspects else scan


def identify(line: InputLine, line_format: LineFormat) -> str | None:
    """Return the line's own id, None if it has none. Raises `BadLine` if it is too long or has a bad id."""
    if line.oversized is not None:
        raise too_long(line.oversized)
    return line_format.identify(line.text)


def too_long(line: Oversized) -> BadLine:
    """Return the `BadLine` for a line that was too long to read."""
    return BadLine(f"the line has {line.size:,} bytes: longer than --max-line allows")


def _without_duplicates(
    scan: InputScan,
    suspects: frozenset[int],
    inputs: Inputs,
    line_format: LineFormat,
    on_duplicate: OnDuplicate,
) -> InputScan:
    """Read everything again to tell duplicate ids from equal hashes; index only the first line of each id."""
    index = Index()
    ordinals = Ordinals(scan.repeated)
    first: dict[str, str] = {}
    duplicates: set[str] = set()
    for line in _all_lines(inputs):
        try:
            own_id = identify(line, line_format)
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
        f"change one of them, or use --on-duplicate first to keep the first"
    )


def _all_lines(inputs: Inputs) -> Iterator[InputLine]:
    for lines in inputs.scan():
        yield from lines
