"""The circuit breaker: closed, open, half-open (P19)."""

import math

from headrace.policy.circuit_breaker import (
    FAILURE_THRESHOLD,
    MIN_PROBE_INTERVAL,
    PROBE_INTERVAL_SHARE,
    CircuitBreaker,
)


def opened(at: float = 10.0) -> CircuitBreaker:
    breaker = CircuitBreaker()
    for number in range(FAILURE_THRESHOLD):
        breaker.failed(f"job-{number}", 9.0, at)
    return breaker


def test_a_few_jobs_that_keep_failing_do_not_open_it() -> None:
    breaker = CircuitBreaker()
    for number in range(100):
        breaker.failed(f"job-{number % (FAILURE_THRESHOLD - 1)}", 0.0, 1.0)

    assert not breaker.is_open


def test_a_response_between_failures_keeps_it_closed() -> None:
    breaker = CircuitBreaker()
    for number in range(100):
        breaker.failed(f"job-{number}", 0.0, 1.0)
        if number % 5 == 4:
            breaker.responded()

    assert breaker.ready_at(2.0) == 2.0


def test_while_it_is_open_one_probe_at_a_time_may_be_sent() -> None:
    breaker = opened(at=10.0)

    assert breaker.ready_at(10.0) == 10.0 + MIN_PROBE_INTERVAL
    breaker.admitted(11.0)
    assert breaker.ready_at(11.5) == math.inf
    breaker.failed("job-3", 11.0, 12.0)
    assert breaker.ready_at(12.0) == 12.0 + MIN_PROBE_INTERVAL


def test_the_interval_between_probes_grows_with_the_outage() -> None:
    breaker = opened(at=0.0)
    breaker.admitted(400.0)
    breaker.failed("job-3", 400.0, 400.0)

    assert breaker.ready_at(400.0) == 400.0 + PROBE_INTERVAL_SHARE * 400.0


def test_the_first_response_closes_it() -> None:
    breaker = opened()
    breaker.admitted(11.0)
    breaker.responded()

    assert breaker.ready_at(11.1) == 11.1


def test_a_failure_of_a_job_sent_before_it_opened_does_not_count_as_the_probe() -> None:
    breaker = opened(at=10.0)
    breaker.admitted(11.0)
    breaker.failed("job-99", 9.5, 11.1)

    assert breaker.ready_at(12.0) == math.inf
