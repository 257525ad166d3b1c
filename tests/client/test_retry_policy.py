"""The retry policy: pure, so time and jitter are arguments. Forms of Retry-After: `test_retry_after.py`."""

from __future__ import annotations

import math

import httpx
import pytest

from headrace_client._base_client.retry import (
    BackOff,
    Raise,
    RetryPolicy,
    checked_max_retries,
    should_retry,
)
from headrace_client._exceptions import APIConnectionError, APITimeoutError
from headrace_client._responses.errors import status_error
from headrace_client.transport import ConnectionLost

NOW = 1_700_000_000.0
REQUEST = httpx.Request("POST", "https://api.test/v1/messages")


def failure(status: int, **headers: str) -> Exception:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return status_error(httpx.Response(status, headers=fields, request=REQUEST))


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("taken", "delay"), [(0, 0.5), (1, 1.0), (2, 2.0), (3, 4.0), (4, 8.0), (5, 8.0), (10_000, 8.0)]
)
def test_backoff_doubles_up_to_eight_seconds_and_jitter_takes_off_up_to_a_quarter(
    taken: int, delay: float
) -> None:
    policy = RetryPolicy(max_retries=math.inf)

    assert policy.verdict(failure(500), taken, NOW, 0.0) == BackOff(delay)
    assert policy.verdict(failure(500), taken, NOW, 0.5) == BackOff(delay * 0.875)
    nearly = policy.verdict(failure(500), taken, NOW, 1 - 1e-12)
    assert isinstance(nearly, BackOff)
    assert delay * 0.75 < nearly.after <= delay


def test_retry_after_is_a_minimum_to_which_jitter_only_adds() -> None:
    """Unlike the reference SDK, also beyond a minute."""
    policy = RetryPolicy()

    assert policy.verdict(failure(429, retry_after="171"), 0, NOW, 0.0) == BackOff(171.0)
    later = policy.verdict(failure(429, retry_after="171"), 0, NOW, 0.5)
    assert isinstance(later, BackOff)
    assert later.after == pytest.approx(171 * 1.05)


def test_a_wait_beyond_the_cap_is_not_retried() -> None:
    """P18: the error says for how long the server asks."""
    error = failure(429, retry_after="601")

    assert RetryPolicy().verdict(error, 0, NOW, 0.0) == Raise(error)
    assert "the server asks for a wait of 601 s, longer than max_retry_after=600" in str(error)
    assert RetryPolicy(max_retry_after=601).verdict(error, 0, NOW, 0.0) == BackOff(601.0)


@pytest.mark.parametrize("taken", [2, 3])
def test_the_number_of_retries_is_limited(taken: int) -> None:
    error = failure(500)

    assert RetryPolicy(max_retries=2).verdict(error, taken, NOW, 0.0) == Raise(error)


@pytest.mark.parametrize(
    ("status", "demand", "again"),
    [
        (400, "true", True),
        (500, "false", False),
        (429, "false", False),
        (400, "True", False),
        (500, "FALSE", True),
        (500, "", True),
        (200, "", False),
    ],
)
def test_x_should_retry_overrides_the_status(status: int, demand: str, again: bool) -> None:
    """Only in lower case."""
    verdict = RetryPolicy().verdict(failure(status, x_should_retry=demand), 0, NOW, 0.0)

    assert isinstance(verdict, BackOff) is again


def test_should_retry() -> None:
    assert should_retry({"x-should-retry": "true"}) is True
    assert should_retry({"x-should-retry": "false"}) is False
    assert should_retry({}) is None


@pytest.mark.parametrize(
    "cause",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("garbage"),
        OSError(),
    ],
)
def test_failures_of_the_network_are_transient(cause: Exception) -> None:
    error = caused(APIConnectionError(request=REQUEST), cause)

    assert RetryPolicy().verdict(error, 0, NOW, 0.0) == BackOff(0.5)


@pytest.mark.parametrize("cause", [httpx.UnsupportedProtocol("ftp"), httpx.LocalProtocolError("bad header")])
def test_errors_in_the_request_are_not_retried(cause: Exception) -> None:
    error = caused(APIConnectionError(request=REQUEST), cause)

    assert RetryPolicy().verdict(error, 0, NOW, 0.0) == Raise(error)


def test_timeouts_are_transient() -> None:
    assert RetryPolicy().verdict(APITimeoutError(REQUEST), 0, NOW, 0.0) == BackOff(0.5)


def test_a_stale_connection_is_replaced_at_once_and_uses_no_retry() -> None:
    stale = ConnectionLost("closed while idle", sent=True, reused=True)
    error = caused(APIConnectionError(request=REQUEST), caused(httpx.ReadError("lost"), stale))

    assert RetryPolicy(max_retries=0).verdict(error, 0, NOW, 0.0) == BackOff(0.0, counts=False)


@pytest.mark.parametrize(
    "lost",
    [ConnectionLost("new", sent=True), ConnectionLost("in the middle", sent=True, reused=True, received=5)],
)
def test_other_lost_connections_use_up_a_retry(lost: ConnectionLost) -> None:
    error = caused(APIConnectionError(request=REQUEST), lost)

    assert RetryPolicy(max_retries=0).verdict(error, 0, NOW, 0.0) == Raise(error)


@pytest.mark.parametrize("value", [0, 1, 2.0, math.inf])
def test_valid_numbers_of_retries(value: float) -> None:
    """Infinity is valid."""
    assert checked_max_retries(value) == value


def test_invalid_numbers_of_retries() -> None:
    with pytest.raises(TypeError, match=r"^max_retries cannot be None"):
        checked_max_retries(None)
    with pytest.raises(TypeError, match="a number, not str"):
        checked_max_retries("2")
    for number in (-1, math.nan):
        with pytest.raises(ValueError, match="or more"):
            checked_max_retries(number)
