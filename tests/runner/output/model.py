"""What an output must contain and a run must do, in plain dicts: the model of `test_journal_machine`.

The model reads no files. The test reports what happens (a run begins, a record is written, power fails), and
the model says what must then be true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from headrace.job import FailureKind
from headrace.policy.options import OnChange, RetryFailed

_LASTING = ("rejected", "too_large")


@attrs.frozen
class Made:
    """What a record was made from, and its outcome."""

    text: str
    recipe: str
    attempts: int
    failed: FailureKind | None = None


@attrs.define
class Model:
    """An input and the records of its output. ``input``: by id, the text of each line."""

    input: dict[str, str] = attrs.field(factory=dict[str, str])
    recipe: str = "a"
    results: dict[str, Made] = attrs.field(factory=dict[str, Made])
    failures: dict[str, Made] = attrs.field(factory=dict[str, Made])
    attempts: dict[str, int] = attrs.field(factory=dict[str, int])
    """By id, the earlier attempts of jobs whose error record was removed."""
    durable: set[str] = attrs.field(factory=set[str])
    """The ids of results that a power failure must not take."""

    def changed(self) -> set[str]:
        """The jobs of the input whose result was made from something else."""
        return {
            each for each, made in self.results.items() if each in self.input and not self._fits(each, made)
        }

    def refuses(self, on_change: OnChange) -> bool:
        """Whether a run must refuse (P7)."""
        foreign = bool(self.results) and self.results.keys().isdisjoint(self.input)
        return foreign or (on_change == "refuse" and bool(self.changed()))

    def begin(self, on_change: OnChange, retry_failed: RetryFailed) -> Mapping[str, int]:
        """Begin a run that is not refused. Return the jobs to be sent, each with its attempts so far."""
        for job_id in self.results:
            self.attempts.pop(job_id, None)
        if on_change == "rerun":
            for job_id in self.changed():
                del self.results[job_id]
                self.durable.discard(job_id)
        for job_id, made in list(self.failures.items()):
            if job_id in self.input and self._leaves(job_id, made, retry_failed):
                del self.failures[job_id]
                self.attempts[job_id] = made.attempts
        unanswered = self.input.keys() - self.results.keys() - self.failures.keys()
        return {each: self.attempts.get(each, 0) for each in unanswered}

    def record(self, job_id: str, failed: FailureKind | None, attempts: int) -> None:
        """Note that a record is in its file."""
        made = Made(self.input[job_id], self.recipe, attempts, failed)
        (self.failures if failed else self.results)[job_id] = made

    def survive(self, results: Iterable[str], failures: Iterable[str]) -> None:
        """Note which records a power failure left."""
        self.results = {each: self.results[each] for each in results}
        self.failures = {each: self.failures[each] for each in failures}

    def _fits(self, job_id: str, made: Made) -> bool:
        """Whether a record was made from its job's current line and recipe."""
        return (made.text, made.recipe) == (self.input[job_id], self.recipe)

    def _leaves(self, job_id: str, made: Made, retry: RetryFailed) -> bool:
        """Whether an error record is removed: it is out of date, or its job is retried."""
        if job_id in self.results or not self._fits(job_id, made):
            return True
        return retry == "all" or (retry == "transient" and made.failed not in _LASTING)
