"""Journal and files against a model: jobs end, files break, inputs change, in any order (P1-P4, P7, P9).

Hypothesis walks through the rules below. Each rule does something with the program's own code on a simulated
disk (`Story`), tells the `Model` what that was, and compares the two. The invariant compares the files after
each step; the end of each walk is a run without bad luck, after which every job must have its record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from headrace._exceptions import RunRefused, StorageFailed
from headrace.input.lines import InputLine
from headrace.job import Failure, FailureKind
from headrace.output.decisions import Decision
from headrace.output.opened_output import OpenedOutput
from headrace.policy.options import OnChange, RetryFailed
from tests.runner.disk import Killed, disk_full
from tests.runner.output.model import Model
from tests.runner.output.story import ERRORS, OUT, RECIPE, Story, job_line

KINDS: tuple[FailureKind, ...] = ("rejected", "timeout", "too_large", "server")
PLACES = st.integers(0, 5)
"""Which one of several: its number, modulo how many there are."""
MISSING = st.sampled_from([0, 1, 2, 20, 150, 10_000])
"""Bytes of a record that a short write leaves out."""
ON_CHANGE = st.sampled_from(["refuse", "rerun", "rerun", "skip"])
RETRY = st.sampled_from(["all", "transient", "none"])
ENDS = st.sampled_from([None, None, None, *KINDS])
"""Mostly results; else the kind of the failure."""


class JournalMachine(RuleBasedStateMachine):
    """One output, its input and its runs; between two runs the input and the recipe may change."""

    model: Model
    """The expected state."""
    story: Story
    """The actual state: the program's files on a simulated disk."""
    output: OpenedOutput | None
    """Open during a run."""
    unanswered: dict[str, tuple[InputLine, Decision]]
    """The jobs that this run still has to send, by id."""
    texts: int
    """How many different lines have been made so far."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.story = Story()
        self.output = None
        self.unanswered = {}
        self.texts = 0

    def is_open(self) -> bool:
        return self.output is not None

    def is_closed(self) -> bool:
        return self.output is None

    # -- the input and the recipe

    @initialize(count=st.integers(2, 6))
    def begin(self, count: int) -> None:
        """Start with a few jobs."""
        for _ in range(count):
            self.submit()

    def submit(self) -> None:
        """Add a job to the input."""
        self.texts += 1
        self.model.input[f"job-{self.texts}"] = f"question {self.texts}"

    @precondition(is_closed)
    @rule(change=st.sampled_from(["new", "edited", "withdrawn", "moved", "recipe"]), place=PLACES)
    def change(self, change: str, place: int) -> None:
        """Change the input, or the recipe."""
        lines = self.model.input
        job_id = list(lines)[place % len(lines)]
        match change:
            case "edited":
                self.texts += 1
                lines[job_id] = f"another question {self.texts}"
            case "withdrawn" if len(lines) > 1:
                del lines[job_id]
            case "moved":
                lines[job_id] = lines.pop(job_id)
            case "recipe":
                self.model.recipe = "ab"[self.model.recipe == "a"]
            case _:
                self.submit()

    # -- a run

    @precondition(is_closed)
    @rule(on_change=ON_CHANGE, retry=RETRY)
    def resume(self, on_change: OnChange, retry: RetryFailed) -> None:
        """Begin a run. It refuses if it must, changing nothing; otherwise it resumes what is left to do."""
        self.story.lines = [job_line(*each) for each in self.model.input.items()]
        self.story.recipe = {**RECIPE, "model": self.model.recipe}
        before = self.story.snapshot()
        if self.model.refuses(on_change):
            with pytest.raises(RunRefused):
                self.story.open(on_change=on_change, retry_failed=retry)
            assert self.story.snapshot() == before
            self.story.next_run()
            return
        self.output = self.story.open(on_change=on_change, retry_failed=retry)
        expected = self.model.begin(on_change, retry)
        self.unanswered = {str(found.id): (line, found) for line, found in self.lines() if not found.skip}
        assert {job_id: found.attempts for job_id, (_, found) in self.unanswered.items()} == expected

    @precondition(lambda self: self.is_open() and self.unanswered)
    @rule(places=st.lists(PLACES, min_size=1, max_size=4), failed=ENDS)
    def finish(self, places: list[int], failed: FailureKind | None) -> None:
        """Some jobs end, one write each."""
        for place in places[: len(self.unanswered)]:
            job_id, record = self.answer(place, failed)
            self.append(record, failed)
            self.model.record(job_id, failed, self.attempts_of(record))

    @precondition(lambda self: self.is_open() and self.unanswered)
    @rule(place=PLACES, failed=ENDS, missing=MISSING)
    def finish_on_a_full_disk(self, place: int, failed: FailureKind | None, missing: int) -> None:
        """A short write, then nothing more: the run ends, and the file is as before."""
        _, record = self.answer(place, failed)
        disk = self.story.disk
        disk.faults = {disk.calls: max(0, len(record) - 1 - missing), disk.calls + 1: disk_full()}
        with pytest.raises(StorageFailed):
            self.append(record, failed)
        self.end()

    @precondition(is_open)
    @rule()
    def sync(self) -> None:
        """A power failure may not take what is written so far."""
        if self.output is not None:
            self.output.sync()
        self.model.durable = set(self.model.results)

    @precondition(is_open)
    @rule()
    def crash(self) -> None:
        """Killed between two writes: to the files, an orderly end makes no difference."""
        self.end()

    @precondition(lambda self: self.is_open() and self.unanswered)
    @rule(place=PLACES, failed=ENDS, missing=MISSING)
    def crash_in_a_write(self, place: int, failed: FailureKind | None, missing: int) -> None:
        """What was written counts if it is whole, even without its line feed."""
        job_id, record = self.answer(place, failed)
        size = max(0, len(record) - missing)
        self.story.disk.faults = {self.story.disk.calls: Killed(size)}
        with pytest.raises(Killed):
            self.append(record, failed)
        if size >= len(record) - 1:
            self.model.record(job_id, failed, self.attempts_of(record))
        self.end()

    @precondition(is_open)
    @rule(rng=st.randoms(use_true_random=False))
    def lose_power(self, rng: Random) -> None:
        """Nothing durable is lost, and nothing appears that was not there."""
        self.story.disk = self.story.disk.after_power_failure(rng)
        survivors, failures = self.whole(OUT), self.whole(ERRORS)
        assert self.model.durable <= survivors.keys() <= self.model.results.keys()
        assert failures.keys() <= self.model.failures.keys()
        self.model.survive(survivors, failures)
        self.end()

    # -- what always holds

    @invariant()
    def every_record_is_there_once(self) -> None:
        """Each file holds the records of the model, no other, and none twice (P1, P3)."""
        assert self.whole(OUT).keys() == self.model.results.keys()
        assert self.whole(ERRORS).keys() == self.model.failures.keys()

    def teardown(self) -> None:
        """After a last run without failures, every job has its record, of the newest line and recipe."""
        if self.is_open():
            self.end()
        if self.model.refuses("rerun"):
            return
        self.resume("rerun", "all")
        while self.unanswered:
            self.finish([0], None)
        assert not self.model.changed()
        assert self.model.input.keys() <= self.whole(OUT).keys()

    # -- helpers

    def lines(self) -> list[tuple[InputLine, Decision]]:
        """All lines of the input, with what the program says of each."""
        assert self.output is not None
        return self.story.decide_all(self.output)

    def answer(self, place: int, failed: FailureKind | None) -> tuple[str, bytes]:
        """Take a job that is left; return its record, which says what it was made from."""
        job_id = list(self.unanswered)[place % len(self.unanswered)]
        line, found = self.unanswered.pop(job_id)
        note = self.story.note(line, found)
        if failed is None:
            return job_id, self.story.success(line, found, note)
        return job_id, self.story.dialect.failure_record(job_id, Failure(kind=failed, message="no"), note)

    def append(self, record: bytes, failed: FailureKind | None) -> None:
        assert self.output is not None
        (self.output.append_errors if failed else self.output.append_results)(record)

    def attempts_of(self, record: bytes) -> int:
        return int(msgspec.json.decode(record)["headrace"]["attempts"])

    def end(self) -> None:
        """The process ends; the disk stays."""
        self.output = None
        self.unanswered = {}
        self.story.next_run()

    def whole(self, path: Path) -> Mapping[str, Any]:
        """By id, the whole records of a file; none twice."""
        files = self.story.disk.platters.files
        found: dict[str, Any] = {}
        for line in files[path].cached.split(b"\n") if path in files else ():
            try:
                record = json.loads(line)
            except ValueError:  # torn, zeroed, or nothing
                continue
            assert record["custom_id"] not in found
            found[record["custom_id"]] = record
        return found


def walk(times: int) -> None:
    """Take ``times`` walks of 40 steps, always the same ones."""
    run_state_machine_as_test(
        JournalMachine,
        settings=settings(
            deadline=None,
            derandomize=True,
            database=None,
            phases=[Phase.generate],  # shrinking a failure takes minutes; its steps are printed as they are
            max_examples=times,
            stateful_step_count=40,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_walks_agree_with_the_model() -> None:
    walk(30)


@pytest.mark.long
def test_many_walks_agree_with_the_model() -> None:
    walk(200)
