"""The life of one request, written once for both clients.

A flow is a generator that only decides. It yields what to do next, a `Send` or a `Sleep`, and receives the
outcome of a `Send`: the response, whatever its status, or the `APIConnectionError` that occurred. It returns
the successful response or raises the error for the caller.

            Send ──> response 2xx without an error ────────> return Success
             ^  \\──> response 3xx, same origin ──> Send
             |   \\─> any other outcome ──> policy.verdict ──> Raise its error
             '──────────── Sleep <── BackOff ──────'

The drivers read the bodies of failed responses before they pass them in, so the connections are free again
before the flow sleeps.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, TypeAlias

import attrs

from headrace_client._exceptions import APIConnectionError, APIError, APIStatusError
from headrace_client._requests.options import FinalRequestOptions
from headrace_client._requests.replay import consumed_reason, why_not_again
from headrace_client._responses.errors import status_error

from .redirect import is_redirect, redirected
from .retry import Raise, RetryPolicy

if TYPE_CHECKING:
    import httpx

    from .clock import Clock

    Outcome: TypeAlias = httpx.Response | APIConnectionError

FindError: TypeAlias = "Callable[[httpx.Response], APIStatusError | None]"
"""Returns the error inside a 2xx response, None if it holds none."""


@attrs.frozen
class Send:
    """Make one attempt, after ``retries_taken`` retries."""

    options: FinalRequestOptions
    retries_taken: int


@attrs.frozen(kw_only=True)
class RetryEvent:
    """The argument of an ``on_retry`` hook: an attempt failed, and another one will follow.

    ``attempt``: the number of attempts made so far, from 1. ``wait``: seconds until the next one.
    ``waited``: seconds spent in earlier waits of this request. ``cause``: why the attempt failed.
    """

    attempt: int
    wait: float
    waited: float
    cause: APIError


@attrs.frozen
class Sleep:
    """Call the hook, then wait ``event.wait`` seconds."""

    event: RetryEvent


@attrs.frozen
class Success:
    """The response for the caller, and how many retries it took."""

    response: httpx.Response
    retries_taken: int


Flow: TypeAlias = "Generator[Send | Sleep, Outcome | None, Success]"


def request_flow(
    options: FinalRequestOptions,
    policy: RetryPolicy,
    *,
    follow_redirects: bool,
    clock: Clock,
    find_error: FindError | None = None,
) -> Flow:
    """Return the flow of one request. After a failure it reads time and jitter from ``clock``.

    ``find_error``: looks into 2xx responses; None: their bodies have not been read, or may say anything.
    Raises `APIError`.
    """
    retries_taken = attempts = hops = 0
    waited = 0.0
    failed: APIError | None = None
    while True:
        outcome = yield Send(options, retries_taken)
        if outcome is None:
            raise RuntimeError("a flow needs the outcome of its Send")
        attempts += 1
        if isinstance(outcome, APIConnectionError):
            error = outcome
        elif follow_redirects and is_redirect(outcome):
            hops += 1
            options = redirected(options, outcome, hops, repeatable=why_not_again(options) is None)
            continue
        elif (error := _error_of(outcome, find_error)) is None:
            return Success(outcome, retries_taken)
        verdict = policy.verdict(error, retries_taken, clock.time(), clock.random())
        if isinstance(verdict, Raise):
            raise verdict.error
        if consumed := consumed_reason(outcome) if isinstance(outcome, APIConnectionError) else None:
            error = failed or error
        if reason := consumed or why_not_again(options):
            error.add_note(f"This request was not sent again: {reason}.")
            raise error
        failed = error
        yield Sleep(RetryEvent(attempt=attempts, wait=verdict.after, waited=waited, cause=error))
        waited += verdict.after
        retries_taken += verdict.counts
        if options.new_connection is verdict.counts:
            options = options.replace(new_connection=not verdict.counts)


def _error_of(response: httpx.Response, find_error: FindError | None) -> APIError | None:
    """Return the error that a response stands for, None for a success."""
    if response.is_success:
        return None if find_error is None else find_error(response)
    return status_error(response)
