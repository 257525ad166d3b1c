"""The settings of a client: the arguments of its constructor, and timeouts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Required, TypedDict

from headrace_client._requests.options import HeadersLike, NotGiven, Query, TimeoutTypes

if TYPE_CHECKING:
    import httpx

    from .flow import RetryEvent


class ClientSettings(TypedDict, total=False):
    """What the constructors of both clients take, in addition to the HTTP client."""

    version: Required[str]
    base_url: Required[str | httpx.URL]
    _strict_response_validation: bool
    max_retries: float
    timeout: TimeoutTypes | NotGiven
    custom_headers: HeadersLike | None
    custom_query: Query | None
    on_retry: Callable[[RetryEvent], object] | None
    max_retry_after: float


@cache
def default_timeout() -> TimeoutTypes:
    """Return `DEFAULT_TIMEOUT`, importing httpx on the first call."""
    from headrace_client._httpx.clients import DEFAULT_TIMEOUT  # imports httpx

    return DEFAULT_TIMEOUT


def checked_timeout(timeout: Any) -> Any:
    """Return ``timeout`` if it is valid. Raises `TypeError` or `ValueError`.

    The HTTP libraries would notice later, and with longer tracebacks.
    """
    if isinstance(timeout, str):
        raise TypeError("timeout must be a number of seconds, an httpx.Timeout, or None, not str")
    if isinstance(timeout, int | float) and not timeout >= 0:
        raise ValueError(f"timeout must be 0 or more seconds, not {timeout}")
    return timeout


def read_timeout(timeout: Any) -> float | None:
    """Return the seconds that a timeout allows for one read, None for no limit."""
    return getattr(timeout, "read", timeout)
