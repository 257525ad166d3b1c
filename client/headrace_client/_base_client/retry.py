"""Whether a failed attempt is worth another, and when: one frozen value that answers questions.

Statuses worth a retry: 408, 409, 429 and all from 500 up; ``x-should-retry: true`` or ``false``
overrules that. The wait is what the server asks for (``retry-after-ms``, else ``retry-after``), never
shorter; without a word from the server it doubles from 0.5 s to 8 s. Both are spread by dice,
so that clients that failed together do not come back together.

Nothing here sleeps, reads a clock or rolls the dice: all three are arguments.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

import attrs

from headrace_client._exceptions import APIConnectionError, APIStatusError
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    INITIAL_RETRY_DELAY,
    MAX_RETRY_AFTER,
    MAX_RETRY_DELAY,
)
from headrace_client.transport.errors import ConnectionLost

RETRIED_STATUSES = frozenset({408, 409, 429})

_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?|\.[0-9]+")

_OUR_MISTAKES = frozenset({"UnsupportedProtocol", "LocalProtocolError"})
"""Errors of the HTTP library that a second attempt meets again: the request itself is wrong."""


def checked_max_retries(value: object) -> float:
    """Return ``value`` if it is a number of retries: 0 or more, `math.inf` for no end.

    Raises `TypeError` for None and what is no number, `ValueError` for a negative number.
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
    """Try again after so many seconds.

    ``counts``: the failure uses up one of the retries. One that does not is the fault of an old connection:
    the next attempt is to have a new one.
    """

    after: float
    counts: bool = True


@attrs.frozen
class Raise:
    """Give up with this error."""

    error: Exception


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """When to try again. All delays in seconds.

    ``max_retry_after`` is the longest wait a server may ask for: asked for more, the policy gives up
    at once, because coming back early is refused anyway. ``repeatable``: the request can be sent again,
    which one whose body can be read only once can not.
    """

    max_retries: float = DEFAULT_MAX_RETRIES
    initial_delay: float = INITIAL_RETRY_DELAY
    max_delay: float = MAX_RETRY_DELAY
    max_retry_after: float = MAX_RETRY_AFTER
    repeatable: bool = True

    def verdict(self, outcome: Exception, retries_taken: int, now: float, jitter: float) -> BackOff | Raise:
        """Judge a failure after ``retries_taken`` retries. ``now``: wall clock, Unix seconds; ``jitter``: in [0, 1)."""
        if not self.repeatable:
            return Raise(outcome)
        if _found_stale_connection(outcome):
            return BackOff(0.0, counts=False)
        if not self.is_transient(outcome) or retries_taken >= self.max_retries:
            return Raise(outcome)
        asked: float | None = None
        if isinstance(outcome, APIStatusError):
            asked = retry_after_seconds(outcome.response.headers, now)
        if asked is None:
            return BackOff(self.backoff(retries_taken, jitter))
        return BackOff(asked * (1 + 0.1 * jitter)) if asked <= self.max_retry_after else Raise(outcome)

    def is_transient(self, outcome: Exception) -> bool:
        """Tell whether the same request may fare better later."""
        if isinstance(outcome, APIStatusError):
            demanded = should_retry(outcome.response.headers)
            status = outcome.status_code
            return status in RETRIED_STATUSES or status >= 500 if demanded is None else demanded
        return (
            isinstance(outcome, APIConnectionError) and type(outcome.__cause__).__name__ not in _OUR_MISTAKES
        )

    def backoff(self, retries_taken: int, jitter: float) -> float:
        """Return the delay after ``retries_taken`` retries: it doubles up to 8 s; dice take off up to a quarter."""
        doubled = self.initial_delay * 2.0 ** min(retries_taken, 1000)
        return min(doubled, self.max_delay) * (1 - 0.25 * jitter)


def _found_stale_connection(outcome: BaseException | None) -> bool:
    """Tell whether nobody was there any more at the other end of a connection that had been idle.

    That says nothing about the server, so the request goes out again, once and on a new connection (RFC 9110
    section 9.2.2, RFC 9112 section 9.3.1); what fails there is not ``reused``.
    """
    while outcome is not None and not isinstance(outcome, ConnectionLost):
        outcome = outcome.__cause__
    return outcome is not None and outcome.reused and not outcome.received


def should_retry(headers: Mapping[str, str]) -> bool | None:
    """Return what ``x-should-retry`` demands, None where it says neither ``true`` nor ``false``."""
    return {"true": True, "false": False}.get(headers.get("x-should-retry", ""))


def retry_after_seconds(headers: Mapping[str, str], now_wall: float) -> float | None:
    """Return how many seconds the server asks to wait, or None where it asks nothing usable.

    ``retry-after-ms`` is looked at first, then ``retry-after`` as seconds or as an HTTP date
    (RFC 9110 section 10.2.3). What is not positive, or not a number or date, counts as not said.
    ``headers`` finds names in lower case.
    """
    asked = _number(headers.get("retry-after-ms", "")) / 1000
    if asked <= 0:
        text = headers.get("retry-after", "").strip()
        asked = _number(text) or _seconds_until(text, now_wall)
    return asked if 0 < asked < math.inf else None


def _number(text: str) -> float:
    return float(text) if _NUMBER.fullmatch(text := text.strip()) else 0.0


def _seconds_until(date: str, now_wall: float) -> float:
    try:
        return parsedate_to_datetime(date).timestamp() - now_wall
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
