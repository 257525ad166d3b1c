"""Whether and when to retry a failed attempt, as a frozen value (pure: time and jitter are arguments).

Retried: connection failures, and the statuses that may pass (see `_wire.statuses`). ``x-should-retry: true``
or ``false`` overrides the status. The client waits at least as long as the server requests
(``retry-after-ms``, else ``retry-after``); otherwise the delay doubles from 0.5 s to 8 s. Jitter spreads
both, so that clients that failed together do not return together.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import attrs

from headrace_client._exceptions import APIConnectionError, APIStatusError
from headrace_client._httpx.connection_trace import TRACE, ConnectionTrace
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    INITIAL_RETRY_DELAY,
    MAX_RETRY_AFTER,
    MAX_RETRY_DELAY,
)
from headrace_client._wire.statuses import status_meaning
from headrace_client.transport.errors import TransportError

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")

_REQUEST_ERRORS = frozenset({"UnsupportedProtocol", "LocalProtocolError"})
"""Errors of the HTTP library about the request itself: a second attempt would fail in the same way."""


def checked_max_retries(value: object) -> float:
    """Return ``value`` if it is a valid number of retries: 0 or more, `math.inf` for no limit.

    Raises `TypeError` for None and other values that are not numbers, `ValueError` for negative ones and NaN.
    """
    if value is None:
        raise TypeError("max_retries cannot be None. For no retries pass 0, for no limit math.inf.")
    if not isinstance(value, int | float):
        raise TypeError(f"max_retries must be a number, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"max_retries must be 0 or more, not {value}")
    return value


@attrs.frozen
class BackOff:
    """Try again ``after`` this many seconds.

    ``counts``: whether the failure uses up a retry. If not, a stale connection caused it, and the next
    attempt needs a new connection.
    """

    after: float
    counts: bool = True


@attrs.frozen
class Raise:
    """Give up with this error."""

    error: Exception


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to try again. All delays are in seconds.

    ``max_retry_after``: if the server requests a longer wait, the policy gives up at once, because an earlier
    attempt would be rejected anyway. ``repeatable``: whether the request can be sent again; False if its body
    can be read only once.
    """

    max_retries: float = DEFAULT_MAX_RETRIES
    initial_delay: float = INITIAL_RETRY_DELAY
    max_delay: float = MAX_RETRY_DELAY
    max_retry_after: float = MAX_RETRY_AFTER
    repeatable: bool = True

    def verdict(self, outcome: Exception, retries_taken: int, now: float, jitter: float) -> BackOff | Raise:
        """Decide what to do after a failure.

        ``retries_taken``: retries before it. ``now``: Unix time. ``jitter``: random, in [0, 1).
        """
        if not self.repeatable:
            return Raise(outcome)
        if _found_stale_connection(outcome):
            return BackOff(0.0, counts=False)
        if not self.is_transient(outcome) or retries_taken >= self.max_retries:
            return Raise(outcome)
        requested: float | None = None
        if isinstance(outcome, APIStatusError):
            requested = retry_after_seconds(outcome.response.headers, now)
        if requested is None:
            return BackOff(self.backoff(retries_taken, jitter))
        if requested > self.max_retry_after:
            return Raise(outcome)
        return BackOff(requested * (1 + 0.1 * jitter))

    def is_transient(self, outcome: Exception) -> bool:
        """Return whether the same request may succeed later."""
        if isinstance(outcome, APIStatusError):
            overridden = should_retry(outcome.response.headers)
            return status_meaning(outcome.status_code).may_pass if overridden is None else overridden
        return (
            isinstance(outcome, APIConnectionError)
            and type(outcome.__cause__).__name__ not in _REQUEST_ERRORS
        )

    def backoff(self, retries_taken: int, jitter: float) -> float:
        """Return the delay after ``retries_taken`` retries. It doubles; jitter takes off up to a quarter."""
        doubled = self.initial_delay * 2.0 ** min(retries_taken, 1000)
        return min(doubled, self.max_delay) * (1 - 0.25 * jitter)


def _found_stale_connection(outcome: BaseException | None) -> bool:
    """Return whether an error goes back to a stale connection: see `TransportError.stale`.

    The request is sent again once: the next connection is new if possible, and no longer traced.
    """
    if isinstance(outcome, APIConnectionError):
        trace = outcome.request.extensions.get(TRACE)
        if isinstance(trace, ConnectionTrace) and trace.is_stale(outcome.__cause__):
            return True
    while outcome is not None and not isinstance(outcome, TransportError):
        outcome = outcome.__cause__
    return outcome is not None and outcome.stale


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return the value of ``x-should-retry``, None unless it is ``true`` or ``false``."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def retry_after_seconds(headers: Mapping[str, str], now_wall: float) -> float | None:
    """Return how many seconds the server asks the client to wait, None if it does not say.

    ``retry-after-ms`` comes first, then ``retry-after`` as seconds or as an HTTP date (RFC 9110 section
    10.2.3). A value that is not positive, or neither a number nor a date, is ignored. ``headers`` must find
    names in lower case; ``now_wall``: Unix time.
    """
    requested = _number(headers.get("retry-after-ms", "")) / 1000
    if requested <= 0:
        text = headers.get("retry-after", "").strip()
        requested = _number(text) or _seconds_until(text, now_wall)
    return requested if 0 < requested < math.inf else None


def _number(text: str) -> float:
    return float(text) if _NUMBER.fullmatch(text := text.strip()) else 0.0


def _seconds_until(date: str, now_wall: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - now_wall
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
