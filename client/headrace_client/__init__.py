"""A client for the Anthropic API, and the HTTP client core of `headrace`.

Every name is served when it is first asked for, so importing the package costs next to
nothing: httpx alone takes a tenth of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from ._base_client import AsyncAPIClient, BaseClient, SyncAPIClient
    from ._client import Anthropic, AsyncAnthropic
    from ._exceptions import (
        AnthropicError,
        APIConnectionError,
        APIError,
        APIRedirectError,
        APIResponseValidationError,
        APIStatusError,
        APITimeoutError,
        AuthenticationError,
        BadRequestError,
        ConflictError,
        DeadlineExceededError,
        InternalServerError,
        NotFoundError,
        OverloadedError,
        PermissionDeniedError,
        RateLimitError,
        RequestTooLargeError,
        ServiceUnavailableError,
        UnprocessableEntityError,
    )
    from ._flow import RetryEvent
    from ._http_clients import (
        DEFAULT_CONNECTION_LIMITS,
        DEFAULT_TIMEOUT,
        DefaultAioHttpClient,
        DefaultAsyncHttpxClient,
        DefaultHttpxClient,
        Timeout,
    )
    from ._models import BaseModel
    from ._options import (
        DEFAULT_MAX_RETRIES,
        INITIAL_RETRY_DELAY,
        MAX_RETRY_AFTER,
        MAX_RETRY_DELAY,
        NOT_GIVEN,
        FinalRequestOptions,
        NotGiven,
        Omit,
        RequestOptions,
        not_given,
        omit,
    )
    from ._pagination import AsyncPage, AsyncPaginator, BaseAsyncPage, BaseSyncPage, PageInfo, SyncPage
    from ._ratelimit import Limit, RateLimits, rate_limits
    from ._response import APIResponse, AsyncAPIResponse
    from ._retry import RetryPolicy, retry_after_seconds
    from ._streaming import AsyncStream, Stream

    Client = Anthropic
    AsyncClient = AsyncAnthropic

_MODULES = {
    "_base_client": (
        "AsyncAPIClient",
        "BaseClient",
        "SyncAPIClient",
    ),
    "_client": (
        "Anthropic",
        "AsyncAnthropic",
    ),
    "_exceptions": (
        "APIConnectionError",
        "APIError",
        "APIRedirectError",
        "APIResponseValidationError",
        "APIStatusError",
        "APITimeoutError",
        "AnthropicError",
        "AuthenticationError",
        "BadRequestError",
        "ConflictError",
        "DeadlineExceededError",
        "InternalServerError",
        "NotFoundError",
        "OverloadedError",
        "PermissionDeniedError",
        "RateLimitError",
        "RequestTooLargeError",
        "ServiceUnavailableError",
        "UnprocessableEntityError",
    ),
    "_flow": ("RetryEvent",),
    "_http_clients": (
        "DEFAULT_CONNECTION_LIMITS",
        "DEFAULT_TIMEOUT",
        "DefaultAioHttpClient",
        "DefaultAsyncHttpxClient",
        "DefaultHttpxClient",
        "Timeout",
    ),
    "_models": ("BaseModel",),
    "_options": (
        "DEFAULT_MAX_RETRIES",
        "INITIAL_RETRY_DELAY",
        "MAX_RETRY_AFTER",
        "MAX_RETRY_DELAY",
        "NOT_GIVEN",
        "FinalRequestOptions",
        "NotGiven",
        "Omit",
        "RequestOptions",
        "not_given",
        "omit",
    ),
    "_pagination": (
        "AsyncPage",
        "AsyncPaginator",
        "BaseAsyncPage",
        "BaseSyncPage",
        "PageInfo",
        "SyncPage",
    ),
    "_ratelimit": (
        "Limit",
        "RateLimits",
        "rate_limits",
    ),
    "_response": (
        "APIResponse",
        "AsyncAPIResponse",
    ),
    "_retry": (
        "RetryPolicy",
        "retry_after_seconds",
    ),
    "_streaming": (
        "AsyncStream",
        "Stream",
    ),
}
_PLACES = {name: (module, name) for module, names in _MODULES.items() for name in names} | {
    "Client": ("_client", "Anthropic"),
    "AsyncClient": ("_client", "AsyncAnthropic"),
}

__all__ = [
    "DEFAULT_CONNECTION_LIMITS",
    "DEFAULT_MAX_RETRIES",
    "DEFAULT_TIMEOUT",
    "INITIAL_RETRY_DELAY",
    "MAX_RETRY_AFTER",
    "MAX_RETRY_DELAY",
    "NOT_GIVEN",
    "APIConnectionError",
    "APIError",
    "APIRedirectError",
    "APIResponse",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "Anthropic",
    "AnthropicError",
    "AsyncAPIClient",
    "AsyncAPIResponse",
    "AsyncAnthropic",
    "AsyncClient",
    "AsyncPage",
    "AsyncPaginator",
    "AsyncStream",
    "AuthenticationError",
    "BadRequestError",
    "BaseAsyncPage",
    "BaseClient",
    "BaseModel",
    "BaseSyncPage",
    "Client",
    "ConflictError",
    "DeadlineExceededError",
    "DefaultAioHttpClient",
    "DefaultAsyncHttpxClient",
    "DefaultHttpxClient",
    "FinalRequestOptions",
    "InternalServerError",
    "Limit",
    "NotFoundError",
    "NotGiven",
    "Omit",
    "OverloadedError",
    "PageInfo",
    "PermissionDeniedError",
    "RateLimitError",
    "RateLimits",
    "RequestOptions",
    "RequestTooLargeError",
    "RetryEvent",
    "RetryPolicy",
    "ServiceUnavailableError",
    "Stream",
    "SyncAPIClient",
    "SyncPage",
    "Timeout",
    "UnprocessableEntityError",
    "__version__",
    "not_given",
    "omit",
    "rate_limits",
    "retry_after_seconds",
]


def __getattr__(name: str) -> Any:
    """Import the module that has ``name`` (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _PLACES[name]
    value = getattr(import_module(f".{module}", __name__), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
