"""Bounded waits, P18: when a run that stands still has to stop, and what it says then."""

from __future__ import annotations

import math

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.policy.standstill import MINUTE, PATIENCE, Cause, Hold, Standstill

DAY = 86_400.0


@attrs.define
class Run:
    """A standstill, with what the dispatcher would say about the run."""

    standstill: Standstill
    expects_jobs: bool = False
    singled_out: bool = False

    def ends_at(self, hold: Hold | None, now: float, *, in_flight: int = 0) -> float:
        return self.standstill.ends_at(
            hold,
            now,
            in_flight=in_flight,
            expects_jobs=self.expects_jobs,
            are_singled_out=lambda: self.singled_out,
        )

    def refused(self, now: float, *, started_at: float | None = None, in_flight: int = 0) -> None:
        self.standstill.refused(
            started_at=now if started_at is None else started_at, in_flight=in_flight, now=now
        )


@pytest.fixture
def run() -> Run:
    return Run(Standstill(max_wait=600.0))


def held(until: float, cause: Cause = "cooldown") -> Hold:
    return Hold(until=until, cause=cause, model="m", limit="input")


CAUSES: tuple[Cause, ...] = ("cooldown", "limit", "circuit breaker", "retry")


@pytest.mark.parametrize("cause", CAUSES)
def test_a_wait_beyond_the_limit_ends_the_run_at_once(cause: Cause, run: Run) -> None:
    assert run.ends_at(held(600.0, cause), 0.0) == math.inf
    assert run.ends_at(held(601.0, cause), 0.0) == 0.0


@pytest.mark.parametrize("cause", CAUSES)
def test_a_wait_without_end_ends_the_run_at_once(cause: Cause, run: Run) -> None:
    """For example for room in a limit of 0."""
    assert run.ends_at(held(math.inf, cause), 0.0) == 0.0
    assert "has to wait for good" in run.standstill.message(held(math.inf, cause), 0.0)


def test_jobs_in_flight_may_still_bring_results(run: Run) -> None:
    assert run.ends_at(None, 0.0, in_flight=1) == math.inf


def test_the_limit_counts_from_the_first_refusal_since_the_last_result(run: Run) -> None:
    run.refused(100.0)
    assert run.ends_at(held(700.0), 400.0) == math.inf
    assert run.ends_at(held(701.0), 400.0) == 400.0

    run.standstill.progressed()
    assert run.ends_at(held(701.0), 400.0) == math.inf


def test_short_waits_without_a_result_add_up(run: Run) -> None:
    """A 500 that asks for 400 s, again and again: that is not a refusal, but a wait."""
    assert run.ends_at(held(400.0, "retry"), 0.0) == math.inf
    assert run.ends_at(None, 400.0, in_flight=1) == math.inf
    assert run.ends_at(held(801.0, "retry"), 401.0) == 401.0


def test_short_waits_with_results_in_between_do_not(run: Run) -> None:
    for start in range(0, 10_000, 500):
        assert run.ends_at(held(start + 400.0, "retry"), float(start)) == math.inf
        assert run.ends_at(None, start + 400.0, in_flight=1) == math.inf
        run.standstill.progressed()


def test_time_in_flight_is_no_wait(run: Run) -> None:
    """An attempt may take longer than that: it has a timeout of its own."""
    run.ends_at(held(10.0, "retry"), 0.0)
    run.ends_at(None, 10.0, in_flight=1)

    assert run.ends_at(held(5_500.0, "retry"), 5_000.0) == math.inf


@pytest.mark.parametrize("now", [0.0, 1e6])
def test_an_idle_input_is_no_standstill(run: Run, now: float) -> None:
    """Nothing waits: what was refused before has passed."""
    run.refused(now)
    assert run.ends_at(None, now + DAY) == math.inf
    run.refused(now + DAY)
    assert run.ends_at(held(now + DAY + 600), now + DAY) == math.inf


def test_the_input_gets_a_moment_to_bring_a_job_that_may_be_sent(run: Run) -> None:
    run.expects_jobs = True
    assert run.ends_at(held(DAY), 5.0) == 5.0 + PATIENCE
    assert run.ends_at(held(DAY), 5.5) == 5.0 + PATIENCE

    assert run.ends_at(None, 5.6, in_flight=1) == math.inf
    assert run.ends_at(held(DAY), 7.0) == 7.0 + PATIENCE


def test_the_users_own_limits_make_a_run_as_slow_as_they_are(run: Run) -> None:
    assert run.ends_at(held(100 * DAY, "own limit"), 0.0) == math.inf


def test_the_ordinary_pace_of_a_server_is_no_standstill() -> None:
    """Limits are per minute: a job may have to wait that long however short ``max_wait`` is."""
    run = Run(Standstill(max_wait=5.0))

    assert run.ends_at(held(MINUTE, "limit"), 0.0) == math.inf
    assert run.ends_at(held(MINUTE + 1, "limit"), 0.0) == 0.0
    assert run.ends_at(held(MINUTE, "cooldown"), 0.0) == 0.0


def test_refusals_without_a_result_end_the_run_even_with_jobs_in_flight(run: Run) -> None:
    run.refused(0.0, in_flight=2)
    run.refused(1.0, started_at=0.0, in_flight=2)
    run.refused(2.0, started_at=0.0, in_flight=2)
    run.refused(599.0, in_flight=2)
    assert run.ends_at(None, 599.0, in_flight=2) == math.inf

    run.refused(600.0, in_flight=2)
    assert run.ends_at(None, 600.0, in_flight=2) == 600.0


def test_what_was_sent_before_the_first_refusal_is_waited_for(run: Run) -> None:
    """It is being answered, or has its own timeout."""
    run.refused(0.0, in_flight=1)
    run.refused(DAY, in_flight=1)
    assert run.ends_at(None, DAY, in_flight=1) == math.inf

    assert run.ends_at(held(DAY + 1), DAY) == DAY


def test_jobs_that_are_refused_while_others_succeed_do_not_end_the_run(run: Run) -> None:
    """Unless the server asks for more than a minute: each of them may be refused twenty times."""
    run.singled_out = True
    run.refused(0.0)
    run.refused(700.0)

    assert run.ends_at(held(700.0 + MINUTE, "retry"), 700.0) == math.inf
    assert run.ends_at(held(701.0 + MINUTE, "retry"), 700.0) == 700.0


@pytest.mark.parametrize("cause", ["cooldown", "circuit breaker", "retry"])
def test_no_wait_at_all_may_be_allowed(cause: Cause) -> None:
    run = Run(Standstill(max_wait=0.0))

    assert run.ends_at(held(0.1, cause), 0.0) == 0.0
    assert run.ends_at(None, 0.0, in_flight=1) == math.inf


@pytest.mark.parametrize("cause", CAUSES)
def test_any_wait_may_be_allowed(cause: Cause) -> None:
    run = Run(Standstill(max_wait=math.inf))
    run.refused(0.0)
    run.refused(DAY)

    assert run.ends_at(held(100 * DAY, cause), DAY) == math.inf


@pytest.mark.parametrize(
    ("cause", "says"),
    [
        ("cooldown", "model m has to wait another 86,400 s, longer than --max-wait allows (600 s)"),
        ("retry", "the next job (model m) has to wait another 86,400 s"),
        ("limit", "the input limit has no room, and model m has to wait another 86,400 s"),
        ("circuit breaker", "the server counts as down, and the next probe has to wait another 86,400 s"),
    ],
)
def test_the_message_names_what_is_waited_for(cause: Cause, says: str, run: Run) -> None:
    """What the server said about this model comes first."""
    run.standstill.failed("m", "429 rate_limit_error: daily limit.")
    run.standstill.failed("other", "500: oops")
    message = run.standstill.message(held(DAY, cause), 0.0)

    assert message.startswith(f'the server said "429 rate_limit_error: daily limit": {says}')
    assert message.endswith(
        "Run the same command again after that, or wait longer with --max-wait (max_wait)."
    )


def test_the_message_after_many_refusals(run: Run) -> None:
    run.refused(0.0)
    run.standstill.failed("m", "529: Overloaded.")

    assert run.standstill.message(held(602.5), 590.0) == (
        "529: Overloaded: no result for 590 s, and model m has to wait another 13 s:"
        " the server keeps refusing or failing. Try again later, or wait longer with --max-wait (max_wait)."
    )


@given(
    st.lists(
        st.tuples(st.floats(0, 1_000), st.sampled_from([*CAUSES, None]), st.floats(0, 2_000), st.booleans())
    ),
    st.sampled_from([0.0, 3.0, 600.0]),
)
@settings(deadline=None, derandomize=True)
def test_no_run_waits_longer_than_the_limit(
    steps: list[tuple[float, Cause | None, float, bool]], max_wait: float
) -> None:
    """Whatever happens, no single wait that may go on is longer, apart from a minute for a limit."""
    run, now = Run(Standstill(max_wait=max_wait)), 0.0
    for elapsed, cause, wait, refused in steps:
        now += elapsed
        if refused:
            run.refused(now)
        hold = None if cause is None else held(now + wait, cause)
        if hold is not None and run.ends_at(hold, now) == math.inf:
            assert wait <= (max(MINUTE, max_wait) if cause == "limit" else max_wait) + 1e-6
