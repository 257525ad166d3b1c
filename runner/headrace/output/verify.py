"""Checking the output of a run against its input, by reading both: what `headrace verify` does."""

from __future__ import annotations

from pathlib import Path

import attrs

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import Dialect, RequestOptions, detect, make_dialect
from headrace.input.files import InputLine, Inputs
from headrace.input.identity import digest
from headrace.input.scan import InputScan, require_job, scan_inputs
from headrace.output.output import OutputPaths
from headrace.output.records import read_record
from headrace.output.recovery import Damaged, Recovery, records
from headrace.output.repair import read_all
from headrace.output.storage import Storage
from headrace.output.verification import Verification

_SHOWN = 20
_ANY = RequestOptions(prompt="-", model="-")
"""Ids do not depend on them, but rows are not read without."""


@attrs.define
class Verdict:
    """What a verification came to."""

    jobs: int
    """Lines of the input that want a record, bad ones included."""
    duplicates: int
    """Lines with an id that was there before: they have no record."""
    results: int = 0
    failures: int = 0
    recipes: int = 0
    """By how many recipes the records were made."""
    problem_count: int = 0
    problems: list[str] = attrs.field(factory=list[str])
    """The first 20, one line each."""

    def add(self, problem: str) -> None:
        """Count a problem."""
        self.problem_count += 1
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)


def verify_output(storage: Storage, paths: OutputPaths, inputs: Inputs, dialect: Dialect) -> Verdict:
    """Hold each line of the input against the records. Raises `RunRefused` if there is nothing to check."""
    if not _exists(storage, paths.results):
        raise RunRefused(f"there is no {paths.results} to verify")
    scan = scan_inputs(inputs, dialect, on_duplicate="first")
    verdict = Verdict(jobs=scan.jobs + scan.bad_lines, duplicates=scan.duplicates)
    verification = Verification(scan.index)
    _check_file(storage, paths.results, verification, verdict, failed=False)
    _check_file(storage, paths.errors, verification, verdict, failed=True)
    verdict.results, verdict.failures = verification.results, verification.failures + verification.bad_lines
    if verification.missing or verification.bad_lines or scan.bad_lines:
        _check_lines(inputs, dialect, scan, verification, verdict)
    if verification.bad_lines:
        verdict.add(f"{verification.bad_lines:,} records of {paths.errors} are of no line of the input")
    verdict.recipes = len(verification.recipes)
    return verdict


def identifying_dialect(inputs: Inputs, name: str, id_field: str | None) -> Dialect:
    """A dialect that knows the lines' ids, for inputs whose prompt and model are not told."""
    if not inputs.rereadable:
        raise RunRefused("verify reads its inputs several times: give it regular files")
    if name == "auto":
        name = _detected(next(inputs.scan(), list[InputLine]()))
    if name in ("rows", "raw"):
        return make_dialect("rows", attrs.evolve(_ANY, id_field=id_field))
    return make_dialect(name, RequestOptions(id_field=id_field))


def _detected(lines: list[InputLine]) -> str:
    for line in lines:
        try:
            return detect(line.text, _ANY)
        except BadLine:
            continue
    return "rows"


def _exists(storage: Storage, path: Path) -> bool:
    try:
        storage.read(path, 0, 0)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise RunRefused(f"cannot read {path}: {error.strerror or error}") from error
    return True


def _check_file(
    storage: Storage, path: Path, verification: Verification, verdict: Verdict, *, failed: bool
) -> None:
    recovery = Recovery()
    try:
        for span, record in records(read_all(storage, path), read_record, recovery, ours=True):
            if problem := verification.take(record, failed=failed):
                verdict.add(f"{path}, byte {span.start:,}: {problem}")
    except Damaged as damage:
        verdict.add(f"{path} is damaged at byte {damage.offset:,}; what follows was not read")
        return
    for hole in recovery.gaps:
        verdict.add(f"{path}, byte {hole.start:,}: a crash left a hole of {hole.end - hole.start:,} bytes")
    if recovery.torn:
        verdict.add(f"{path}, byte {recovery.torn.start:,}: the end is torn")
    if recovery.unterminated:
        verdict.add(f"{path}: the last line has no line feed")


def _check_lines(
    inputs: Inputs, dialect: Dialect, scan: InputScan, verification: Verification, verdict: Verdict
) -> None:
    """Name the lines that have no record. Of a pipe, later lines of an id have one, too."""
    identities = scan.identities()
    for lines in inputs.scan():
        for line in lines:
            job_id, line_digest, is_new = None, digest(line.text), True
            try:
                job_id, is_new = identities.name(require_job(line, dialect), line_digest)
            except BadLine:
                line_digest = line.oversized.digest if line.oversized else line_digest
            has_record = verification.has_record(job_id if is_new else None, line_digest)
            if is_new and not has_record:
                verdict.add(f"{inputs.name_of(line)} has no record")
            elif has_record and not is_new:
                verdict.jobs += 1
                verdict.duplicates -= 1
