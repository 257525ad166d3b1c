"""Comparing the records of earlier runs with the jobs of this one: what is done, and what has changed."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Protocol

import attrs

from headrace.dialects import RecordIdentity
from headrace.input.identity import hash_key, index_key
from headrace.input.index import Index, State
from headrace.policy.options import OnChange, RetryFailed

from .recovery import Span, Spans

Match = Literal["same", "line changed", "recipe changed", "unknown"]
LookUp = Literal["new", "done", "failed", "changed"]

_EXAMPLES = 3
_UNKNOWN_DIGEST = 0


@attrs.define
class ResultCounts:
    """What was found in the records of an output."""

    records: int = 0
    matches: Counter[Match] = attrs.field(factory=Counter[Match])
    again: int = 0
    """Records besides the first of a job: headrace itself never writes any."""
    changed_ids: list[str] = attrs.field(factory=list[str])
    """The first few ids whose line has changed."""
    recipes: Counter[str] = attrs.field(factory=Counter[str])
    """By digest of another recipe, how many records were made with it."""
    changed: Spans = attrs.field(factory=Spans)
    """Where the records are whose line or recipe has changed."""

    def take(self, match: Match, record: RecordIdentity, span: Span, *, first: bool) -> None:
        """Count a record. ``first``: it is the first one of its job."""
        self.again += not first
        self.records += 1
        self.matches[match] += 1
        if match == "line changed" and len(self.changed_ids) < _EXAMPLES:
            self.changed_ids.append(str(record.id))
        if match == "recipe changed":
            self.recipes[str(record.recipe)] += 1
        if match in ("line changed", "recipe changed"):
            self.changed.append(span)


class KnownJobs(Protocol):
    """What earlier records say of this run's jobs: first take all records, then look up the jobs."""

    def take(self, record: RecordIdentity) -> tuple[Match, bool]:
        """Learn from a result; return how it matches this run, and whether it is the first of its job."""
        ...

    def take_failure(self, record: RecordIdentity, *, again: bool) -> bool:
        """Learn from an error record; return whether it stays in the file.

        ``again``: a job with such a failure is to be tried again.
        """
        ...

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """Return what the records say of a job."""
        ...


@attrs.define
class ScannedJobs:
    """The jobs of a scanned input: the index holds the state of each."""

    index: Index
    recipe: str
    on_change: OnChange
    _marked: bool = False

    def take(self, record: RecordIdentity) -> tuple[Match, bool]:
        match, entry = match_record(self.index, self.recipe, record)
        if entry is None:
            return match, True
        first = self.index.state(entry) != State.DONE
        if match == "same" or self.on_change == "skip":
            self._mark(entry, State.DONE)
        return match, first

    def take_failure(self, record: RecordIdentity, *, again: bool) -> bool:
        match, entry = match_record(self.index, self.recipe, record)
        if entry is None:
            return True
        if match != "same" or again or self.index.state(entry) == State.DONE:
            return False
        self._mark(entry, State.FAILED)
        return True

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """Return what the records say of a job; lines that were added after the scan are new."""
        if not self._marked:  # as in every first run; this saves a look-up of 2 us per job
            return "new"
        key, ordinal = index_key(job_id)
        entry = self.index.find(key, int(digest, 16), ordinal)
        return "new" if entry is None else _LOOK_UPS[self.index.state(entry)]

    def _mark(self, entry: int, state: State) -> None:
        self.index.mark(entry, state)
        self._marked = True


_LOOK_UPS: dict[int, LookUp] = {State.NEW: "new", State.DONE: "done", State.FAILED: "failed"}


@attrs.define
class StreamedJobs:
    """The records alone, for an input that can be read only once, in 16 bytes per record."""

    recipe: str
    on_change: OnChange
    _index: Index = attrs.field(factory=Index)
    _failed: set[str] = attrs.field(factory=set[str])
    _sorted: bool = False

    def take(self, record: RecordIdentity) -> tuple[Match, bool]:
        """Learn from a result. Whether it is the first of its job is unknown: it always counts as such."""
        if record.id is None:
            return "unknown", True
        digest = _UNKNOWN_DIGEST if record.digest is None else _number(record.digest)
        match: Match = "same" if record.digest is None or record.recipe == self.recipe else "recipe changed"
        if match == "same" or self.on_change == "skip":
            self._index.add(hash_key(record.id), digest)
        return match, True

    def take_failure(self, record: RecordIdentity, *, again: bool) -> bool:
        if record.id is None or again or record.recipe not in (self.recipe, None):
            return False
        self._failed.add(record.id)
        return True

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """Return what the records say of a job; "changed" if they are of another line with the same id."""
        if not self._sorted:
            self._index.sort()
            self._sorted = True
        key = hash_key(job_id)
        if self._index.find_key(key) is None:
            return "failed" if job_id in self._failed else "new"
        known = any(self._index.find(key, known) is not None for known in (int(digest, 16), _UNKNOWN_DIGEST))
        return "done" if known or self.on_change == "skip" else "changed"


def match_record(index: Index, recipe: str | None, record: RecordIdentity) -> tuple[Match, int | None]:
    """Return how a record matches a scanned input and a recipe (None: any), and its job's entry, if any."""
    if record.id is None:
        return "unknown", None
    key, ordinal = index_key(record.id)
    if record.digest is not None:
        same_line = index.find(key, _number(record.digest), ordinal)
        if same_line is not None:
            return ("same" if recipe in (record.recipe, None) else "recipe changed"), same_line
    entry = index.find_key(key, ordinal)
    if entry is None:
        return "unknown", None
    return ("same" if record.digest is None else "line changed"), entry


_PERMANENT = frozenset({"rejected", "too_large"})


@attrs.frozen
class EarlierStreaks:
    """Failures alike in a row, as the error records of earlier runs show them."""

    systemic: frozenset[str] = frozenset()
    """The signatures of those that ended a run."""
    unfinished: frozenset[str] = frozenset()
    """The ids of the jobs in a streak during which a run was interrupted."""


def is_tried_again(record: RecordIdentity, retry: RetryFailed, streaks: EarlierStreaks) -> bool:
    """Return whether a job with such a failure is sent again.

    A failure is transient if it may pass without a change to the job: an outage, but also a bad key, an empty
    account, or a systemic failure. Lines that could not be parsed are always read again, which costs nothing.
    """
    if record.failed == "bad_line" or retry == "all":
        return True
    return retry == "transient" and (
        record.failed not in _PERMANENT
        or _is_systemic(record, streaks.systemic)
        or record.id in streaks.unfinished
    )


def is_of_streak(record: RecordIdentity, systemic: frozenset[str]) -> bool:
    """Return whether a job has failed in a streak that ended a run, or once more like that."""
    return record.streak is not None and (record.streak[1] == 0 or _is_systemic(record, systemic))


def _is_systemic(record: RecordIdentity, systemic: frozenset[str]) -> bool:
    return record.streak is not None and record.streak[1] > 0 and record.streak[0] in systemic


def _number(digest: str) -> int:
    """Return a digest as the index stores it; text that is not a digest matches no job."""
    try:
        return int(digest, 16) & 2**64 - 1
    except ValueError:
        return _UNKNOWN_DIGEST
