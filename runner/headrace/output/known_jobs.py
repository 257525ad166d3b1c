"""Comparing the records of earlier runs with this one: what is done, what changed since (P7)."""

from __future__ import annotations

from collections import Counter
from typing import Literal, Protocol

import attrs

from headrace.input.identity import hash_key, index_key
from headrace.input.index import Index, State

from .recovery import Span, Spans

OnChange = Literal["refuse", "rerun", "skip"]
RetryFailed = Literal["all", "transient", "none"]
Match = Literal["same", "line changed", "recipe changed", "unknown"]
LookUp = Literal["new", "done", "failed", "changed"]

_EXAMPLES = 3
_UNKNOWN_DIGEST = 0


class Recorded(Protocol):
    """What is read of a record: see `headrace.dialects.RecordIdentity`."""

    @property
    def id(self) -> str | None: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def recipe(self) -> str | None: ...
    @property
    def succeeded(self) -> bool: ...
    @property
    def failed(self) -> str | None: ...
    @property
    def attempts(self) -> int: ...
    @property
    def maybe_billed(self) -> int: ...


@attrs.define
class ResultCounts:
    """What the records of an output came to."""

    records: int = 0
    matches: Counter[Match] = attrs.field(factory=Counter[Match])
    again: int = 0
    """Records beyond the first of one job: no run of ours writes such."""
    changed_ids: list[str] = attrs.field(factory=list[str])
    """The first few ids whose line changed."""
    recipes: Counter[str] = attrs.field(factory=Counter[str])
    """The other recipes, and how many records were made by each."""
    changed: Spans = attrs.field(factory=Spans)
    """Where the records stand whose line or recipe changed."""

    def take(self, match: Match, record: Recorded, span: Span, *, first: bool) -> None:
        """Count one record; ``first``: of its job."""
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
    """What earlier records say of the jobs of this run: first all are taken, then the jobs are recalled."""

    def take(self, record: Recorded) -> tuple[Match, bool]:
        """Learn from a record of the output; return how it relates to this run, and if it is a first one."""
        ...

    def take_failure(self, record: Recorded, *, again: bool) -> bool:
        """Learn from an error record, ``again`` if it may be tried again; return whether the record stays."""
        ...

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """What the records said of a job."""
        ...


@attrs.define
class ScannedJobs:
    """The jobs of an input that was scanned: each has its state in the index."""

    index: Index
    recipe: str
    on_change: OnChange
    _marked: bool = False

    def take(self, record: Recorded) -> tuple[Match, bool]:
        """Learn from a record of the output; return how it relates to this run, and if it is a first one."""
        match, entry = relate(self.index, self.recipe, record)
        if entry is None:
            return match, True
        first = self.index.state(entry) != State.DONE
        if match == "same" or self.on_change == "skip":
            self._mark(entry, State.DONE)
        return match, first

    def take_failure(self, record: Recorded, *, again: bool) -> bool:
        """Learn from an error record, ``again`` if it may be tried again; return whether the record stays."""
        match, entry = relate(self.index, self.recipe, record)
        if entry is None:
            return True
        if match != "same" or again or self.index.state(entry) == State.DONE:
            return False
        self._mark(entry, State.FAILED)
        return True

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """What the records said of a job; lines that came after the scan are new."""
        if not self._marked:  # as in every first run: a look-up costs 2 us
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
    """The records alone, for an input that comes by only once: 16 bytes a record."""

    recipe: str
    on_change: OnChange
    _index: Index = attrs.field(factory=Index)
    _failed: set[str] = attrs.field(factory=set[str])
    _sorted: bool = False

    def take(self, record: Recorded) -> tuple[Match, bool]:
        """Learn from a record of the output; whether it is the job's first is not known here."""
        if record.id is None:
            return "unknown", True
        digest = _UNKNOWN_DIGEST if record.digest is None else _number(record.digest)
        match: Match = "same" if record.digest is None or record.recipe == self.recipe else "recipe changed"
        if match == "same" or self.on_change == "skip":
            self._index.add(hash_key(record.id), digest)
        return match, True

    def take_failure(self, record: Recorded, *, again: bool) -> bool:
        """Learn from an error record, ``again`` if it may be tried again; return whether the record stays."""
        if record.id is None or again or record.recipe not in (self.recipe, None):
            return False
        self._failed.add(record.id)
        return True

    def look_up(self, job_id: str, digest: str) -> LookUp:
        """What the records said of a job; "changed" if they are of another line with its id."""
        if not self._sorted:
            self._index.sort()
            self._sorted = True
        key = hash_key(job_id)
        if self._index.find_key(key) is None:
            return "failed" if job_id in self._failed else "new"
        known = any(self._index.find(key, known) is not None for known in (int(digest, 16), _UNKNOWN_DIGEST))
        return "done" if known or self.on_change == "skip" else "changed"


def relate(index: Index, recipe: str | None, record: Recorded) -> tuple[Match, int | None]:
    """How a record relates to a scanned input and a recipe (None: any), and the entry of its job."""
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


_LASTING = frozenset({"rejected", "too_large"})


def is_tried_again(failed: str | None, retry: RetryFailed) -> bool:
    """Whether a job with such a failure is sent again.

    Transient is what may pass without a change of the job: an outage, but also a bad key or an empty
    account. Lines that were no jobs are always read again, which costs nothing.
    """
    if failed == "bad_line" or retry == "all":
        return True
    return retry == "transient" and failed not in _LASTING


def _number(digest: str) -> int:
    """A digest as the index keeps it; what is no digest equals none of ours."""
    try:
        return int(digest, 16) & 2**64 - 1
    except ValueError:
        return _UNKNOWN_DIGEST
