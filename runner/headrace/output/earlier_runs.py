"""What earlier runs left in an output: learning from their records, and refusing those that do not fit.

Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import attrs

from headrace._exceptions import RunRefused
from headrace.dialects import RecordIdentity
from headrace.output.known_jobs import (
    EarlierStreaks,
    KnownJobs,
    ResultCounts,
    is_of_streak,
    is_tried_again,
)
from headrace.output.record_files import RecordFile
from headrace.output.recovery import Spans
from headrace.output.sidecar import Sidecar, recipe_changes
from headrace.policy.options import RetryFailed
from headrace.policy.systemic import STREAK, EarlierFailure
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
    systemic: int
    """Number of records of jobs that are tried again because such failures had ended a run."""


@attrs.define(kw_only=True)
class Unfinished:
    """What earlier runs have to say of jobs that have no record, or whose record is to be removed; by id."""

    recipe: str
    """The digest of this run's recipe."""
    is_same_endpoint: bool
    """Whether this run uses the server and key of the last one: earlier streaks mean nothing otherwise."""
    attempts: EarlierAttempts = attrs.field(factory=dict[str, tuple[int, UnconfirmedUsage]])
    streaks: dict[str, EarlierFailure] = attrs.field(factory=dict[str, EarlierFailure])
    """How jobs failed in a streak that ended a run, with the recipe of this run."""

    @classmethod
    def of(cls, sidecar: Sidecar, recipe: str, endpoint: str) -> Unfinished:
        """Return what a sidecar says to a run."""
        is_same = sidecar.endpoint == endpoint
        streaks = {job: failure for job, failure in sidecar.streaks.items() if failure.recipe == recipe}
        return cls(
            recipe=recipe,
            is_same_endpoint=is_same,
            attempts=dict(sidecar.attempts),
            streaks=streaks if is_same else {},
        )

    def done(self, job_id: str) -> None:
        """Forget a job that has a record."""
        self.attempts.pop(job_id, None)
        self.streaks.pop(job_id, None)

    def again(self, record: RecordIdentity, systemic: frozenset[str]) -> None:
        """Learn from an error record that is to be removed."""
        if record.id is None:
            return
        if record.attempts:
            lost = recorded_usage(record.maybe_billed, record.maybe_billed_tokens)
            self.attempts[record.id] = record.attempts, lost
        self.streaks.pop(record.id, None)
        is_same = self.is_same_endpoint and record.recipe == self.recipe
        if is_same and record.streak is not None and record.digest and is_of_streak(record, systemic):
            self.streaks[record.id] = EarlierFailure(record.streak[0], record.digest, self.recipe)


def read_results(file: RecordFile, known: KnownJobs, unfinished: Unfinished) -> ResultCounts:
    """Read all results into ``known`` and remove their jobs from ``unfinished``.

    Raises as `RecordFile.records`.
    """
    counts = ResultCounts()
    has_unfinished = bool(unfinished.attempts or unfinished.streaks)
    for span, record in file.records():
        if has_unfinished and record.id is not None:
            unfinished.done(record.id)
        match, first = known.take(record)
        counts.take(match, record, span, first=first)
    return counts


def read_streaks(file: RecordFile, jobs_without_result: float) -> EarlierStreaks:
    """Return the streaks that the error records show. Raises as `RecordFile.records`.

    ``jobs_without_result``: if there are more than error records, the run has not come to its end. The streak
    of its last failures may then have been a systemic failure that it did not live to see.
    """
    systemic, last, failed = set[str](), list[str](), 0
    signature = ""
    for _, record in file.records():
        failed += record.failed != "bad_line"
        if record.streak is None or record.id is None:
            continue
        if record.streak[1] >= STREAK:
            systemic.add(record.streak[0])
        if record.streak != (signature, len(last) + 1):
            last.clear()
        if record.streak[1] == len(last) + 1:
            last.append(record.id)
        signature = record.streak[0]
    is_interrupted = failed < jobs_without_result and len(last) >= _SUSPICIOUS
    return EarlierStreaks(frozenset(systemic), frozenset(last if is_interrupted else ()))


_SUSPICIOUS = 3
"""Failures alike in a row, at least, that are no coincidence. It costs next to nothing if they are."""


def read_failures(
    file: RecordFile,
    known: KnownJobs,
    retry_failed: RetryFailed,
    unfinished: Unfinished,
    streaks: EarlierStreaks,
) -> FailureRecords:
    """Read all failures into ``known``, and what is known of those tried again into ``unfinished``.

    Call it after `read_results`. Raises as `RecordFile.records`.
    """
    tried_again = Spans()
    kept = of_streaks = 0
    for span, record in file.records():
        again = is_tried_again(record, retry_failed, streaks)
        if record.failed != "bad_line" and known.take_failure(record, again=again):
            kept += 1
            unfinished.streaks.pop(record.id or "", None)
            continue
        tried_again.append(span)
        of_streaks += again and is_of_streak(record, streaks.systemic)
        unfinished.again(record, streaks.systemic)
    return FailureRecords(tried_again, kept, of_streaks)


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
