"""Whether each line of an input has exactly one terminal record: the accounts of ``headrace verify``."""

from __future__ import annotations

from collections import Counter

import attrs

from headrace.input.identity import index_key
from headrace.input.index import Index, State

from .known_jobs import Recorded, relate


@attrs.define
class Verification:
    """Take all records, results first; then ask for each line of the input, in order, whether it has one."""

    index: Index
    """All jobs of the input."""
    recipes: Counter[str | None] = attrs.field(factory=Counter[str | None])
    """How many records each recipe has made; None: of another program."""
    _bad_lines: Counter[str] = attrs.field(factory=Counter[str])
    """By digest, error records without an id: of lines that are no jobs, or no new ones."""

    def take(self, record: Recorded, *, failed: bool) -> str | None:
        """Learn from a record, of the error file if ``failed``; return what is wrong with it, if anything."""
        if failed and record.id is None and record.digest is not None:
            self._bad_lines[record.digest] += 1
            return None
        match, entry = relate(self.index, None, record)
        if entry is None:
            return f"no line of the input has the id {_shown(record)}"
        if match == "line changed":
            return f"the line of {_shown(record)} has another digest than its record"
        if not self.index.claim(entry, State.FAILED if failed else State.DONE):
            return f"{_shown(record)} has more than one record"
        self.recipes[record.recipe] += 1
        if record.succeeded is failed:
            return f"{_shown(record)} {'succeeded' if failed else 'failed'}: its record is in the wrong file"
        return None

    @property
    def results(self) -> int:
        """How many jobs have a record in the output."""
        return self.index.count(State.DONE)

    @property
    def failures(self) -> int:
        """How many jobs have a record in the error file."""
        return self.index.count(State.FAILED)

    @property
    def missing(self) -> int:
        """How many jobs have no record by their id."""
        return self.index.count(State.NEW)

    def has_record(self, job_id: str | None, digest: str) -> bool:
        """Whether a line has its record; ``job_id`` None for a line that is no job. Ask once a line."""
        if job_id is not None and self._is_marked(job_id, digest):
            return True
        if not self._bad_lines[digest]:
            return False
        self._bad_lines[digest] -= 1
        return True

    @property
    def bad_lines(self) -> int:
        """How many error records without an id no line has asked for."""
        return self._bad_lines.total()

    def _is_marked(self, job_id: str, digest: str) -> bool:
        key, ordinal = index_key(job_id)
        entry = self.index.find(key, int(digest, 16), ordinal)
        return entry is not None and self.index.state(entry) != State.NEW


def _shown(record: Recorded) -> str:
    return ascii(str(record.id)[:60])
