"""Jobs that failed in earlier runs: tried again or kept, their attempts counted over all runs (P3, P12)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import cast

import pytest

from headrace.job import FailureKind
from headrace.output.opened_output import Counts
from headrace.policy.options import RetryFailed
from tests.runner.disk import Killed
from tests.runner.output.story import ERRORS, JSON, OUT, job_line, story

ALL_FAILURES: Mapping[str, FailureKind] = {
    "a": "rejected",
    "b": "timeout",
    "c": "credentials",
    "d": "too_large",
    "e": "spend_limit",
}


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    ("retry", "again"),
    [("all", "abcde"), ("transient", "bce"), ("none", "")],
    ids=["all", "transient", "none"],
)
def test_failed_jobs_are_tried_again_or_stay(retry: RetryFailed, again: str, piped: bool) -> None:
    run = story(*"abcdef", piped=piped)
    run.send(run.open(), failing=ALL_FAILURES)
    run.next_run()
    output = run.open(retry_failed=retry)

    assert run.ids(ERRORS) == [job_id for job_id in "abcde" if job_id not in again]
    assert output.counts == Counts(done=1, failed=5 - len(again), to_send=None if piped else len(again))
    assert run.send(output) == list(again)
    assert sorted(map(str, run.ids())) == sorted([*again, "f"])


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(("retry", "again"), [("transient", ["a"]), ("none", [])])
def test_a_failure_under_its_earlier_name_is_tried_again_or_stays(
    retry: RetryFailed, again: list[str], piped: bool
) -> None:
    run = story("a", "b", piped=piped)
    run.send(run.open(), failing={"a": "invalid_response"})
    run.disk.put(ERRORS, run.disk.content(ERRORS).replace(b'"invalid_response"', b'"bad_answer"'))
    run.next_run()
    output = run.open(retry_failed=retry)

    assert run.send(output) == again
    assert sorted(map(str, [*run.ids(ERRORS), *run.ids()])) == ["a", "b"]


def test_a_failure_that_was_followed_by_a_result_is_over() -> None:
    run = story("a", "b")
    run.send(run.open(), failing={"a": "rejected"})
    failures = run.disk.content(ERRORS)
    run.next_run()
    run.send(run.open(retry_failed="all"))
    run.disk.put(ERRORS, failures)
    run.next_run()
    output = run.open(retry_failed="none")

    assert output.counts == Counts(done=2, failed=0, to_send=0)
    assert run.ids(ERRORS) == []


def test_attempts_survive_a_run_that_was_killed_before_it_tried_again() -> None:
    """P3: the error record has been removed by then, and a crash may come between any two changes."""
    for calls in range(12):
        run = story("a", "b")
        run.send(run.open(), failing={"a": "timeout", "b": "timeout"})
        run.disk = run.disk.restarted({calls: Killed()})
        with suppress(Killed):
            run.open()
        run.next_run()
        run.send(run.open(), most=1)
        run.next_run()
        output = run.open()

        attempts = [found.attempts for _, found in run.decide_all(output)]
        assert (attempts, run.ids(), run.ids(ERRORS)) == ([0, 1], ["a"], [])


def test_a_restart_counts_from_the_start() -> None:
    run = story("a", "b")
    run.send(run.open(), failing={"a": "timeout", "b": "rejected"})
    run.next_run()
    run.open()
    run.next_run()

    assert {found.attempts for _, found in run.decide_all(run.open(restart="old"))} == {0}


def test_attempts_are_counted_over_all_runs() -> None:
    """P3."""
    run = story("a", "b")
    failing: Mapping[str, FailureKind] = {"a": "timeout"}
    for _ in range(3):
        run.send(run.open(), failing=failing)
        run.next_run()
    run.send(run.open())
    attempts = {
        record["custom_id"]: cast("dict[str, object]", record["headrace"])["attempts"]
        for record in map(JSON.decode, run.disk.content(OUT).splitlines())
    }

    assert attempts == {"a": 4, "b": 1}
    assert run.ids(ERRORS) == []


def test_bad_lines_are_recorded_once_however_often_they_are_read() -> None:
    run = story("a")
    run.lines = [job_line("a"), b"{broken\n", b"\n", b'{"q":"no id"}\n']
    for retry in ("all", "none", "transient"):
        output = run.open(retry_failed=retry)
        assert output.counts.bad_lines == 2
        run.send(output)
        run.next_run()

    notes = [
        cast("dict[str, object]", JSON.decode(line)["headrace"])
        for line in run.disk.content(ERRORS).splitlines()
    ]
    assert [note["line"] for note in notes] == [2, 4]
    assert run.ids(ERRORS) == [None, None]
