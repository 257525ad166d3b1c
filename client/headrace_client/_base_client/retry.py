"""Whether and when to retry a failed attempt, as a frozen value (pure: time and jitter are arguments).

Retried: connection failures, and the statuses that may pass (see `_wire.statuses`). ``x-should-retry: true``
or ``false`` overrides the status. The client waits at least as long as the server requests (see
`_wire.retry_after`); otherwise the delay doubles from 0.5 s to 8 s. Jitter spreads both, so that clients that
failed together do not return together.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from headrace_client._exceptions import APIConnectionError, APIStatusError
from headrace_client._httpx.connection_trace import TRACE, ConnectionTrace
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    INITIAL_RETRY_DELAY,
    MAX_RETRY_AFTER,
    MAX_RETRY_DELAY,
)
from headrace_client._wire.retry_after import retry_after_seconds
from headrace_client._wire.statuses import status_meaning
from headrace_client.transport.errors import TransportError

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
    attempt would be rejected anyway, and the error says for how long. So all waits together take at most
    ``max_retries`` x 1.1 x the larger of ``max_retry_after`` and ``max_delay``.
    """

    max_retries: float = DEFAULT_MAX_RETRIES
    initial_delay: float = INITIAL_RETRY_DELAY
    max_delay: float = MAX_RETRY_DELAY
    max_retry_after: float = MAX_RETRY_AFTER

    def verdict(self, outcome: Exception, retries_taken: int, now: float, jitter: float) -> BackOff | Raise:
        """Decide what to do after a failure.

        ``retries_taken``: retries before it. ``now``: Unix time. ``jitter``: random, in [0, 1).
        """
        if _found_stale_connection(outcome):
            return BackOff(0.0, counts=False)
        if not self.is_transient(outcome) or retries_taken >= self.max_retries:
            return Raise(outcome)
        requested = self._requested(outcome, now) if isinstance(outcome, APIStatusError) else None
        if requested is None:
            return BackOff(self.backoff(retries_taken, jitter))
        if requested > self.max_retry_after:
            return Raise(outcome)
        return BackOff(requested * (1 + 0.1 * jitter))

    def _requested(self, error: APIStatusError, now: float) -> float | None:
        """Return how long the server asks to wait. If that is too long, the error says so from now on."""
        requested = retry_after_seconds(error.response.headers, now, _body(error))
        if requested is not None and requested > self.max_retry_after:
            error.explain(
                f"not retried: the server asks for a wait of {requested:,.0f} s, longer than"
                f" max_retry_after={self.max_retry_after:g}"
            )
        return requested

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


def _body(error: APIStatusError) -> bytes:
    """Return the body of the response, empty if it broke off before it was read."""
    try:
        return error.response.content
    except RuntimeError:  # httpx: not read, or closed
        return b""


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
