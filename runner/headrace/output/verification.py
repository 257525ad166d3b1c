"""Checking an output against its input, by reading both: what `headrace verify` does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import LineFormat, RecordIdentity, detect, make_dialect
from headrace.input.files import Inputs
from headrace.input.identity import digest, index_key
from headrace.input.index import Index, State
from headrace.input.lines import InputLine
from headrace.input.scan import InputScan, identify, scan_inputs
from headrace.output.known_jobs import match_record
from headrace.output.paths import OutputPaths
from headrace.output.record_files import read_record
from headrace.output.recovery import Damaged, Recovery, find_records
from headrace.output.storage import Storage, exists, read_all
from headrace.policy.options import RequestOptions

_MAX_SHOWN = 20
_ANY = RequestOptions(prompt="-", model="-")
"""Rows cannot be read without them, but ids do not depend on them."""


@attrs.define(kw_only=True)
class Verification:
    """Whether each line of an input has exactly one record, in the right file.

    Take all records, results first; then ask for each line of the input whether it has one.
    """

    index: Index
    """All jobs of the input."""
    jobs: int
    """Lines of the input that must have a record, bad lines included."""
    duplicates: int
    """Lines with the id of an earlier line: they have no record."""
    problem_count: int = 0
    problems: list[str] = attrs.field(factory=list[str])
    """The first 20, one line each."""
    _recipes: set[str | None] = attrs.field(factory=set[str | None])
    """Of the records; None: of another program."""
    _records_without_id: int = 0
    _unclaimed: Counter[str] = attrs.field(factory=Counter[str])
    """By digest, error records without an id that no line was found for yet."""

    @property
    def results(self) -> int:
        """How many jobs have a record in the output."""
        return self.index.count(State.DONE)

    @property
    def failures(self) -> int:
        """How many lines have a record in the error file."""
        return self.index.count(State.FAILED) + self._records_without_id

    @property
    def recipes(self) -> int:
        """How many different recipes the records were made with."""
        return len(self._recipes)

    @property
    def missing(self) -> int:
        """How many jobs have no record with their id."""
        return self.index.count(State.NEW)

    @property
    def unclaimed(self) -> int:
        """How many error records without an id belong to no line that was asked for."""
        return self._unclaimed.total()

    def add(self, problem: str) -> None:
        """Count a problem."""
        self.problem_count += 1
        if len(self.problems) < _MAX_SHOWN:
            self.problems.append(problem)

    def take(self, record: RecordIdentity, *, failed: bool) -> str | None:
        """Learn from a record, of the error file if ``failed``; return what is wrong with it, if anything."""
        if failed and record.id is None and record.digest is not None:
            self._records_without_id += 1
            self._unclaimed[record.digest] += 1
            return None
        match, entry = match_record(self.index, None, record)
        if entry is None:
            return f"no line of the input has the id {_shown(record)}"
        if match == "line changed":
            return f"{_shown(record)} was made from another line: the digest differs"
        if not self.index.claim(entry, State.FAILED if failed else State.DONE):
            return f"{_shown(record)} has more than one record"
        self._recipes.add(record.recipe)
        if record.succeeded is failed:
            return f"{_shown(record)} {'succeeded' if failed else 'failed'}: its record is in the wrong file"
        return None

    def has_record(self, job_id: str | None, line_digest: str) -> bool:
        """Return whether a line has its record. Ask once per line; ``job_id``: None for a bad line."""
        if job_id is not None and self._is_marked(job_id, line_digest):
            return True
        if not self._unclaimed[line_digest]:
            return False
        self._unclaimed[line_digest] -= 1
        return True

    def _is_marked(self, job_id: str, line_digest: str) -> bool:
        key, ordinal = index_key(job_id)
        entry = self.index.find(key, int(line_digest, 16), ordinal)
        return entry is not None and self.index.state(entry) != State.NEW


def _shown(record: RecordIdentity) -> str:
    return ascii(str(record.id)[:60])


def verify_output(
    storage: Storage, paths: OutputPaths, inputs: Inputs, line_format: LineFormat
) -> Verification:
    """Check that each line of the input has exactly one record.

    Raises `RunRefused` if there is no output to check, and `StorageFailed` if a file cannot be read.
    """
    _require_output(storage, paths.results)
    scan = scan_inputs(inputs, line_format, on_duplicate="first")
    found = Verification(index=scan.index, jobs=scan.jobs + scan.bad_lines, duplicates=scan.duplicates)
    _check_file(storage, paths.results, found, failed=False)
    _check_file(storage, paths.errors, found, failed=True)
    if found.missing or found.unclaimed or scan.bad_lines:
        _check_lines(inputs, line_format, scan, found)
    if found.unclaimed:
        found.add(f"{found.unclaimed:,} records in {paths.errors} belong to no line of the input")
    return found


def identifying_format(inputs: Inputs, name: str, id_field: str | None) -> LineFormat:
    """Return a format that reads the lines' ids, without the prompt and model that the run was given.

    ``name``: as ``--input-format``. Raises `RunRefused` for inputs that can be read only once.
    """
    if not inputs.rereadable:
        raise RunRefused("verify reads its inputs several times: use regular files")
    if name == "auto":
        name = _detected(next(inputs.scan(), list[InputLine]()))
    if name in ("rows", "raw"):
        return make_dialect("rows", attrs.evolve(_ANY, id_field=id_field)).lines
    return make_dialect(name, RequestOptions(id_field=id_field)).lines


def _detected(lines: list[InputLine]) -> str:
    for line in lines:
        try:
            return detect(line.text, _ANY)
        except BadLine:
            continue
    return "rows"


def _require_output(storage: Storage, path: Path) -> None:
    try:
        found = exists(storage, path)
    except OSError as error:
        raise RunRefused(f"cannot read {path}: {error.strerror or error}") from error
    if not found:
        raise RunRefused(f"{path} does not exist: name the output of the run with -o")


def _check_file(storage: Storage, path: Path, found: Verification, *, failed: bool) -> None:
    recovery = Recovery()
    try:
        for span, record in find_records(read_all(storage, path), read_record, recovery, trusted=True):
            if problem := found.take(record, failed=failed):
                found.add(f"{path}, byte {span.start:,}: {problem}")
    except Damaged as damage:
        found.add(f"{path} is damaged at byte {damage.offset:,}; the rest was not read")
        return
    for gap in recovery.gaps:
        found.add(f"{path}, byte {gap.start:,}: a crash left a gap of {gap.end - gap.start:,} bytes")
    if recovery.torn:
        found.add(f"{path}, byte {recovery.torn.start:,}: the end is torn")
    if recovery.unterminated:
        found.add(f"{path}: the last line has no line feed")


def _check_lines(inputs: Inputs, line_format: LineFormat, scan: InputScan, found: Verification) -> None:
    """Find the lines without a record. If the run read a pipe, duplicates have one, too."""
    identities = scan.identities()
    for lines in inputs.scan():
        for line in lines:
            job_id, line_digest, is_new = None, digest(line.text), True
            try:
                job_id, is_new = identities.name(identify(line, line_format), line_digest)
            except BadLine:
                line_digest = line.oversized.digest if line.oversized else line_digest
            has_record = found.has_record(job_id if is_new else None, line_digest)
            if is_new and not has_record:
                found.add(f"{inputs.name_of(line)} has no record")
            elif has_record and not is_new:
                found.jobs += 1
                found.duplicates -= 1
