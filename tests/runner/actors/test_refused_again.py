"""Bounded waits, P18: a job that is refused with "not now" again and again while others succeed."""

from __future__ import annotations

import math

import attrs
import pytest

from headrace.actors._queue import Waiting, Waits
from headrace.actors.messages import Failed, Finished, Pending
from headrace.job import Failure, FailureKind, JobRequest, Note, PreparedJob, Success, Usage
from headrace.policy.refusals import MAX_REFUSALS, Refusals, noted, refused_again

NOTE = Note(line=1, digest="", recipe="")


def pending(name: str, model: str = "m", refusals: Refusals | None = None) -> Pending:
    request = JobRequest(path="/", body=b"{}", model=model, max_tokens=1, stream=False)
    job = PreparedJob(id=name, line=1, source=None, digest="", request=request)
    return Pending(job=job, read_at=0.0, refusals=refusals)


@attrs.define
class Job:
    """One job that is refused, and the others of its model."""

    max_wait: float = 600.0
    waits: Waits = attrs.field(init=False)
    last: Failed = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.waits = Waits(waiting=Waiting(), max_wait=self.max_wait)
        self.last = Failed(
            pending=pending("odd"), failure=Failure(kind="rate_limit", message="429: no"), started_at=0.0
        )

    def refused(
        self, now: float, *, kind: FailureKind = "rate_limit", retry_after: float | None = None
    ) -> Failed:
        failed = Failed(
            pending=self.last.pending,
            failure=Failure(kind=kind, message="429: no", status=429),
            started_at=now,
            retry_after=retry_after,
        )
        self.last = self.waits.failed(failed, now, 0.5, in_flight=0, is_outage=False)
        return self.last

    def another_succeeded(self, now: float, *, model: str = "m") -> None:
        success = Success(message=b"{}", usage=Usage(), stop_reason=None)
        request = pending("other", model).job.request
        self.waits.recorded([Finished(record=b"", outcome=success, note=NOTE, request=request)], now)

    @property
    def refusals(self) -> Refusals:
        assert self.last.pending.refusals is not None
        return self.last.pending.refusals

    @property
    def is_over(self) -> bool:
        return self.last.should_retry is False


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded"])
def test_it_ends_after_twenty_refusals_and_the_longest_wait(kind: FailureKind) -> None:
    job = Job(max_wait=600.0)
    job.refused(0.0, kind=kind)
    job.another_succeeded(1.0)
    for count in range(2, MAX_REFUSALS + 10):
        job.refused(count * 20.0, kind=kind)
        assert not job.is_over

    job.refused(600.0, kind=kind)

    assert job.is_over
    assert job.last.failure == Failure(
        kind=kind,
        message="429: no (refused 30 times in 600 s, while other jobs of its model succeeded)",
        status=429,
    )


def test_the_longest_wait_alone_is_not_enough() -> None:
    job = Job(max_wait=600.0)
    job.refused(0.0)
    for count in range(2, MAX_REFUSALS):
        job.another_succeeded(count * 1_000.0)
        job.refused(count * 1_000.0 + 1)
        assert not job.is_over

    job.refused(1e6)

    assert (job.refusals.count, job.is_over) == (MAX_REFUSALS, True)


@pytest.mark.parametrize("max_wait", [0.0, 600.0])
def test_it_does_not_end_while_all_are_refused(max_wait: float) -> None:
    """Then the server is what refuses: the run stands still. Another model says nothing about this one."""
    job = Job(max_wait=max_wait)
    for count in range(10 * MAX_REFUSALS):
        job.refused(count * 100.0)
        job.another_succeeded(count * 100.0 + 50, model="another")
        assert (job.is_over, job.last.retry_after) == (False, None)


def test_what_succeeded_before_the_first_refusal_does_not_count() -> None:
    job = Job()
    job.refused(-100.0)
    job.another_succeeded(0.0)
    job.last = attrs.evolve(Job()).last
    job.refused(1.0)
    job.refused(2.0)

    assert not job.refusals.others_succeeded


def test_without_a_limit_on_waiting_it_waits_on() -> None:
    job = Job(max_wait=math.inf)
    job.refused(0.0)
    job.another_succeeded(1.0)
    for count in range(100):
        job.refused(count * 1e6)
        assert not job.is_over


@pytest.mark.parametrize("max_wait", [0.0, 3.0, 600.0, 86_400.0, math.inf])
def test_it_waits_longer_and_longer_so_that_others_go_first(max_wait: float) -> None:
    """Between half a second and a minute, so that twenty refusals take about as long as the run may wait."""
    job, delays = Job(max_wait=max_wait), list[float]()
    job.refused(0.0)
    assert job.last.retry_after is None
    for count in range(2, MAX_REFUSALS + 1):
        job.another_succeeded(count * 1.0)
        job.refused(count * 1.0 + 0.5)
        delays.append(job.refusals.delay(max_wait, 0.5))

    assert delays == sorted(delays)
    assert 0.25 <= delays[0] <= 0.5
    assert delays[-1] <= min(60.0, max(0.5, max_wait / 20))


def test_it_waits_at_least_as_long_as_the_server_asks() -> None:
    job = Job()
    job.refused(0.0, retry_after=40.0)
    job.another_succeeded(1.0)
    job.refused(41.0, retry_after=40.0)

    assert job.last.retry_after == 40.0


def test_only_repeated_refusals_are_about_the_job() -> None:
    """From then on, they slow no other job."""
    first = refused_again(None, 0.0, -math.inf)
    second = refused_again(first, 1.0, 0.5)
    third = refused_again(second, 2.0, 0.5)

    assert [refusals.is_about_the_job for refusals in (first, second, third)] == [False, False, True]


def test_it_is_not_the_probe_of_its_model() -> None:
    """That would be refused again, and would hold up the others for longer each time."""
    waiting = Waiting()
    waiting.add(pending("first"))
    waiting.add(pending("second"))
    waiting.delay(pending("once", refusals=Refusals(count=1, first_at=0.0)), 1.0)
    waiting.delay(pending("odd", refusals=Refusals(count=2, first_at=0.0, others_succeeded=True)), 2.0)
    waiting.release(3.0)

    assert [job.job.id for job in waiting.take("m", 9)] == ["once", "odd", "first", "second"]


def test_the_more_often_it_is_refused_the_more_others_go_first() -> None:
    """Even before one of them has succeeded: two odd jobs would take turns as the probe."""
    places = list[int]()
    for count in range(1, 30):
        waiting = Waiting()
        for number in range(2_000):
            waiting.add(pending(str(number)))
        waiting.delay(pending("odd", refusals=Refusals(count=count, first_at=0.0)), 1.0)
        waiting.release(1.0)
        places.append([job.job.id for job in waiting.take("m", 2_001)].index("odd"))

    assert places[:5] == [0, 1, 3, 7, 15]
    assert places == sorted(places)
    assert places[-1] < 2_000


def test_a_record_says_how_often_its_job_was_refused() -> None:
    """A job that never was says nothing."""
    assert noted(NOTE, None, 9.0) == NOTE
    record = noted(NOTE, Refusals(count=21, first_at=8.0), 608.5)

    assert (record.refusals, record.refusals_s) == (21, 600.5)
