"""Reading what earlier runs left in an output, and refusing what does not fit. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import attrs
import msgspec

from headrace._exceptions import RunRefused, StorageFailed
from headrace.dialects import BadRecord, RecordIdentity, read_identity
from headrace.output.known_jobs import KnownJobs, ResultCounts, RetryFailed, is_tried_again
from headrace.output.recovery import Damaged, Recovery, Span, Spans, records
from headrace.output.repair import read_all
from headrace.output.sidecar import Sidecar, recipe_changes
from headrace.output.storage import Storage
from headrace.policy.unconfirmed import UnconfirmedUsage, recorded_usage


@attrs.frozen
class RecordFile:
    """A file whose records are to be read once; the rest is in ``recovery`` afterwards."""

    storage: Storage
    path: Path
    ours: bool
    """It is known that headrace wrote it."""
    recovery: Recovery = attrs.field(factory=Recovery)

    def records(self) -> Iterator[tuple[Span, RecordIdentity]]:
        """Yield each whole record. Raises `RunRefused` for a foreign file, `StorageFailed` for damage."""
        pieces = read_all(self.storage, self.path)
        try:
            yield from records(pieces, read_record, self.recovery, ours=self.ours)
        except Damaged as damage:
            if not (self.ours or self.recovery.records):
                raise RunRefused(f"{self.path} is no output of headrace: name another output") from damage
            raise StorageFailed(
                f"{self.path} is damaged at byte {damage.offset:,}, and nothing was changed: "
                f"mend that line or move the file away"
            ) from damage


EarlierAttempts = dict[str, tuple[int, UnconfirmedUsage]]
"""By id, how many attempts earlier runs have sent for a job without a record, and the maybe billed ones."""


@attrs.frozen
class FailureRecords:
    """What the error file came to."""

    tried_again: Spans
    """Records that leave the file."""
    kept: int
    """Records of jobs that are not tried again."""


def read_results(file: RecordFile, known: KnownJobs, earlier: EarlierAttempts) -> ResultCounts:
    """Tell ``known`` of all results, and take their jobs out of ``earlier``."""
    counts = ResultCounts()
    for span, record in file.records():
        if earlier and record.id is not None:
            earlier.pop(record.id, None)
        match, first = known.take(record)
        counts.take(match, record, span, first=first)
    return counts


def read_failures(
    file: RecordFile, known: KnownJobs, retry_failed: RetryFailed, earlier: EarlierAttempts
) -> FailureRecords:
    """Tell ``known`` of all failures, and ``earlier`` what was sent. To be called after `survey_results`."""
    tried_again = Spans()
    kept = 0
    for span, record in file.records():
        again = is_tried_again(record.failed, retry_failed)
        if record.failed != "bad_line" and known.take_failure(record, again=again):
            kept += 1
            continue
        tried_again.append(span)
        if record.id is not None and record.attempts:
            lost = recorded_usage(record.maybe_billed, record.maybe_billed_tokens)
            earlier[record.id] = record.attempts, lost
    return FailureRecords(tried_again, kept)


def refuse_foreign_output(counts: ResultCounts, path: Path) -> None:
    """Raise `RunRefused` if the output belongs to another input."""
    if counts.records and counts.matches["unknown"] == counts.records:
        raise RunRefused(
            f"{path} holds {counts.records:,} records and none is of this input: "
            f"name another output, or move it aside by --restart"
        )


def refuse_changes(counts: ResultCounts, path: Path, sidecar: Sidecar, recipe: Mapping[str, object]) -> None:
    """Raise `RunRefused` if what shaped a finished job changed since, and say what (P7)."""
    changes = [
        f"{_named(sidecar.recipes.get(old, recipe), recipe)} ({count:,} finished jobs)"
        for old, count in counts.recipes.items()
    ]
    if count := counts.matches["line changed"]:
        ids = ", ".join(ascii(job_id[:60]) for job_id in counts.changed_ids)
        more = ", ..." if count > len(counts.changed_ids) else ""
        changes.append(f"the lines of {count:,} finished jobs changed ({ids}{more})")
    if changes:
        raise RunRefused(
            f"{path} was made from something else: {'; '.join(changes)}. "
            f"Do them again by --on-change rerun, keep them by --on-change skip (in Python: on_change), "
            f"or start over by --restart"
        )


def _named(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    return "; ".join(recipe_changes(old, new)) or "the prompt, model or parameters changed"


_FOREIGN = RecordIdentity(id=None, succeeded=False)


def read_record(line: bytes) -> RecordIdentity | None:
    """Read a line of an output or error file; None if it is no JSON."""
    try:
        return read_identity(line)
    except BadRecord:
        return _FOREIGN if _is_json(line) else None


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True
