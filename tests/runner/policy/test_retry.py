"""The runner's retry policy (P18, P19)."""

from typing import Any, get_args

import pytest

from headrace.job import Failure, FailureKind
from headrace.policy.options import RetryOptions
from headrace.policy.retry import GiveUp, Retry, RetryQuota, RunRetryPolicy, StopRun

POLICY = RunRetryPolicy(options=RetryOptions(max_attempts=3), initial_delay=1.0, max_delay=60.0)


def verdict(kind: FailureKind, status: int | None = None, **more: Any) -> Retry | GiveUp | StopRun:
    arguments: dict[str, Any] = {"failures": 0, "attempts": 1, "jitter": 0.5, **more}
    return POLICY.verdict(Failure(kind=kind, message="no", status=status), **arguments)


@pytest.mark.parametrize("kind", ["bad_line", "rejected", "too_large", "redirect"])
def test_what_a_retry_cannot_fix_is_given_up(kind: FailureKind) -> None:
    assert verdict(kind) == GiveUp()


@pytest.mark.parametrize("kind", ["server", "invalid_response", "connection", "timeout"])
def test_an_outage_is_retried_until_the_attempts_are_used_up(kind: FailureKind) -> None:
    assert verdict(kind, failures=1) == Retry(after=1.0, counts=True)
    assert verdict(kind, failures=2) == GiveUp()


@pytest.mark.parametrize("kind", ["rate_limit", "overloaded"])
def test_throttling_does_not_count_as_an_attempt(kind: FailureKind) -> None:
    assert verdict(kind, failures=2, retry_after=7.0) == Retry(after=7.0, counts=False)


def test_a_spend_cap_and_a_rejected_key_end_the_run_and_a_403_only_its_job() -> None:
    assert verdict("spend_limit", 429) == StopRun()
    assert verdict("credentials", 401) == StopRun()
    assert verdict("credentials", 403) == GiveUp()


def test_x_should_retry_overrides_the_status() -> None:
    assert verdict("server", 500, should_retry=False) == GiveUp()
    assert isinstance(verdict("rejected", 400, should_retry=True), Retry)


def test_backoff_is_exponential_with_full_jitter_and_a_maximum() -> None:
    delays = [
        POLICY.verdict(Failure(kind="server", message=""), failures=0, attempts=n, jitter=1.0)
        for n in (1, 2, 3, 99)
    ]

    assert [delay.after for delay in delays if isinstance(delay, Retry)] == [2.0, 4.0, 8.0, 60.0]
    assert verdict("server", jitter=0.0) == Retry(after=0.0, counts=True)


def test_every_kind_of_failure_has_a_verdict() -> None:
    for kind in get_args(FailureKind):
        assert isinstance(verdict(kind), Retry | GiveUp | StopRun)


def test_the_quota_allows_as_many_retries_as_it_holds_and_then_a_trickle() -> None:
    quota = RetryQuota(capacity=50.0, trickle=0.2)
    delays = [quota.delay(0.0) for _ in range(55)]

    assert delays[:50] == [0.0] * 50
    assert delays[50:] == pytest.approx([5.0, 10.0, 15.0, 20.0, 25.0])


def test_each_result_puts_back_one_retry() -> None:
    """While half of the attempts succeed no retry is delayed, however long that lasts."""
    quota = RetryQuota()
    for _ in range(1_000):
        quota.succeeded(1)

        assert quota.delay(0.0) == 0.0


def test_the_quota_refills_with_time_up_to_its_capacity() -> None:
    quota = RetryQuota(capacity=10.0, trickle=0.5)
    for _ in range(10):
        quota.delay(0.0)
    for _ in range(100):
        quota.succeeded(1)
    delays = [quota.delay(1_000.0) for _ in range(11)]

    assert delays == [0.0] * 10 + [2.0]


def test_the_quota_delays_no_retry_by_more_than_a_minute() -> None:
    quota = RetryQuota(trickle=0.01)

    assert max(quota.delay(0.0) for _ in range(100)) == quota.max_delay == 60.0
