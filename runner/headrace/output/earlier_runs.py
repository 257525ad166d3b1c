"""What earlier runs left in an output: learning from their records, and refusing those that do not fit.

Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from headrace._exceptions import RunRefused
from headrace.output.known_jobs import KnownJobs, ResultCounts, is_tried_again
from headrace.output.record_files import RecordFile
from headrace.output.recovery import Spans
from headrace.output.sidecar import Sidecar, recipe_changes
from headrace.policy.options import RetryFailed
from headrace.policy.unconfirmed import UnconfirmedUsage, recorded_usage

EarlierAttempts = dict[str, tuple[int, UnconfirmedUsage]]
"""By id, for jobs without a result: how many attempts earlier runs have sent, and those maybe billed."""


@attrs.frozen
class FailureRecords:
    """What was found in the error file."""

    tried_again: Spans
    """Records that are to be removed from the file."""
    kept: int
    """Number of records of jobs that are not tried again."""


def read_results(file: RecordFile, known: KnownJobs, earlier: EarlierAttempts) -> ResultCounts:
    """Read all results into ``known`` and remove their jobs from ``earlier``.

    Raises as `RecordFile.records`.
    """
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
    """Read all failures into ``known``, and what was sent for those tried again into ``earlier``.

    Call it after `read_results`. Raises as `RecordFile.records`.
    """
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
            f"none of the {counts.records:,} records in {path} belongs to this input: "
            f"name another output, or move this one aside with --restart"
        )


def refuse_changes(counts: ResultCounts, path: Path, sidecar: Sidecar, recipe: Mapping[str, object]) -> None:
    """Raise `RunRefused` if what shaped a finished job has changed since, and say what."""
    changes = [
        f"{_recipe_change(sidecar.recipes.get(old, recipe), recipe)} ({count:,} finished jobs)"
        for old, count in counts.recipes.items()
    ]
    if count := counts.matches["line changed"]:
        ids = ", ".join(ascii(job_id[:60]) for job_id in counts.changed_ids)
        more = ", ..." if count > len(counts.changed_ids) else ""
        changes.append(f"the lines of {count:,} finished jobs changed ({ids}{more})")
    if changes:
        raise RunRefused(
            f"{path} does not match this run: {'; '.join(changes)}. "
            f"Send these jobs again with --on-change rerun, keep their results with --on-change skip "
            f"(in Python: on_change), or start over with --restart"
        )


def _recipe_change(old: Mapping[str, object], new: Mapping[str, object]) -> str:
    return "; ".join(recipe_changes(old, new)) or "the prompt, model or parameters changed"
