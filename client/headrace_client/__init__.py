"""A client for the Anthropic API, and the HTTP client core of `headrace`.

Names are imported on first use, so importing the package takes almost no time: httpx alone takes 0.1 s.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import types
    from ._base_client import AsyncAPIClient, BaseClient, SyncAPIClient
    from ._base_client.flow import RetryEvent
    from ._base_client.retry import RetryPolicy
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
    from ._httpx.clients import (
        DEFAULT_CONNECTION_LIMITS,
        DEFAULT_TIMEOUT,
        DefaultAioHttpClient,
        DefaultAsyncHttpxClient,
        DefaultHttpxClient,
        Timeout,
    )
    from ._models.base_model import BaseModel
    from ._requests.options import (
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
    from ._responses.base_response import StreamAlreadyConsumed
    from ._responses.event_reader import IncompleteStreamError
    from ._responses.list_pages import (
        AsyncPage,
        AsyncPageCursor,
        AsyncTokenPage,
        SyncPage,
        SyncPageCursor,
        SyncTokenPage,
    )
    from ._responses.message_stream import AsyncMessageStream, MessageStream
    from ._responses.page_info import PageInfo
    from ._responses.pagination import AsyncPaginator, BaseAsyncPage, BaseSyncPage
    from ._responses.response import APIResponse, AsyncAPIResponse
    from ._responses.stream import AsyncStream, Stream
    from ._wire.ratelimit import Limit, RateLimits, rate_limits
    from ._wire.retry_after import retry_after_seconds

    Client = Anthropic
    AsyncClient = AsyncAnthropic

_ALIASES = {"Client": "Anthropic", "AsyncClient": "AsyncAnthropic"}
_MODULES = {
    "APIConnectionError": "_exceptions",
    "APIError": "_exceptions",
    "APIRedirectError": "_exceptions",
    "APIResponse": "_responses.response",
    "APIResponseValidationError": "_exceptions",
    "APIStatusError": "_exceptions",
    "APITimeoutError": "_exceptions",
    "Anthropic": "_client",
    "AnthropicError": "_exceptions",
    "AsyncAPIClient": "_base_client",
    "AsyncAPIResponse": "_responses.response",
    "AsyncAnthropic": "_client",
    "AsyncMessageStream": "_responses.message_stream",
    "AsyncPage": "_responses.list_pages",
    "AsyncPageCursor": "_responses.list_pages",
    "AsyncPaginator": "_responses.pagination",
    "AsyncStream": "_responses.stream",
    "AsyncTokenPage": "_responses.list_pages",
    "AuthenticationError": "_exceptions",
    "BadRequestError": "_exceptions",
    "BaseAsyncPage": "_responses.pagination",
    "BaseClient": "_base_client",
    "BaseModel": "_models.base_model",
    "BaseSyncPage": "_responses.pagination",
    "ConflictError": "_exceptions",
    "DEFAULT_CONNECTION_LIMITS": "_httpx.clients",
    "DEFAULT_MAX_RETRIES": "_requests.options",
    "DEFAULT_TIMEOUT": "_httpx.clients",
    "DeadlineExceededError": "_exceptions",
    "DefaultAioHttpClient": "_httpx.clients",
    "DefaultAsyncHttpxClient": "_httpx.clients",
    "DefaultHttpxClient": "_httpx.clients",
    "FinalRequestOptions": "_requests.options",
    "INITIAL_RETRY_DELAY": "_requests.options",
    "IncompleteStreamError": "_responses.event_reader",
    "InternalServerError": "_exceptions",
    "Limit": "_wire.ratelimit",
    "MAX_RETRY_AFTER": "_requests.options",
    "MAX_RETRY_DELAY": "_requests.options",
    "MessageStream": "_responses.message_stream",
    "NOT_GIVEN": "_requests.options",
    "NotFoundError": "_exceptions",
    "NotGiven": "_requests.options",
    "Omit": "_requests.options",
    "OverloadedError": "_exceptions",
    "PageInfo": "_responses.page_info",
    "PermissionDeniedError": "_exceptions",
    "RateLimitError": "_exceptions",
    "RateLimits": "_wire.ratelimit",
    "RequestOptions": "_requests.options",
    "RequestTooLargeError": "_exceptions",
    "RetryEvent": "_base_client.flow",
    "RetryPolicy": "_base_client.retry",
    "ServiceUnavailableError": "_exceptions",
    "Stream": "_responses.stream",
    "StreamAlreadyConsumed": "_responses.base_response",
    "SyncAPIClient": "_base_client",
    "SyncPage": "_responses.list_pages",
    "SyncPageCursor": "_responses.list_pages",
    "SyncTokenPage": "_responses.list_pages",
    "Timeout": "_httpx.clients",
    "UnprocessableEntityError": "_exceptions",
    "not_given": "_requests.options",
    "omit": "_requests.options",
    "rate_limits": "_wire.ratelimit",
    "retry_after_seconds": "_wire.retry_after",
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
    "AsyncMessageStream",
    "AsyncPage",
    "AsyncPageCursor",
    "AsyncPaginator",
    "AsyncStream",
    "AsyncTokenPage",
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
    "IncompleteStreamError",
    "InternalServerError",
    "Limit",
    "MessageStream",
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
    "StreamAlreadyConsumed",
    "SyncAPIClient",
    "SyncPage",
    "SyncPageCursor",
    "SyncTokenPage",
    "Timeout",
    "UnprocessableEntityError",
    "__version__",
    "not_given",
    "omit",
    "rate_limits",
    "retry_after_seconds",
    "types",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines ``name`` (PEP 562)."""
    if name == "types":
        return import_module(".types", __name__)
    original = _ALIASES.get(name, name)
    if original not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_MODULES[original]}", __name__), original)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
