"""`Anthropic` and `AsyncAnthropic`: the Messages API, its credentials and its resources."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

from headrace_client._base_client.flow import RetryEvent
from headrace_client._base_client.logging import setup_logging
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    MAX_RETRY_AFTER,
    Headers,
    NotGiven,
    Query,
    TimeoutTypes,
    not_given,
)

from ._anthropic import AnthropicConfiguration, effective_base_url
from ._base_client import AsyncAPIClient, SyncAPIClient
from ._version import __version__

if TYPE_CHECKING:
    import httpx

    from .resources.beta import AsyncBeta, Beta
    from .resources.messages import AsyncMessages, Messages
    from .resources.models import AsyncModels, Models

setup_logging()


class Anthropic(AnthropicConfiguration, SyncAPIClient):
    """The blocking client of the Messages API.

    Without ``api_key`` and ``auth_token`` the credentials are those of ``ANTHROPIC_API_KEY`` and
    ``ANTHROPIC_AUTH_TOKEN``; without ``base_url`` it is ``ANTHROPIC_BASE_URL``. ``timeout``: seconds, an
    `httpx.Timeout`, or None. ``max_retries``: `math.inf` for no end. ``on_retry`` is called with a
    `RetryEvent` before each wait; ``max_retry_after`` seconds is the longest wait a server may ask for.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: float = DEFAULT_MAX_RETRIES,
        default_headers: Headers | None = None,
        default_query: Query | None = None,
        http_client: httpx.Client | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
        max_retry_after: float = MAX_RETRY_AFTER,
        _strict_response_validation: bool = False,
    ) -> None:
        super().__init__(
            version=__version__,
            base_url=effective_base_url(base_url),
            timeout=timeout,
            max_retries=max_retries,
            custom_headers=default_headers,
            custom_query=default_query,
            http_client=http_client,
            on_retry=on_retry,
            max_retry_after=max_retry_after,
            _strict_response_validation=_strict_response_validation,
        )
        self._read_credentials(api_key, auth_token)

    @cached_property
    def messages(self) -> Messages:
        """The Messages endpoints."""
        from .resources.messages import Messages  # resources import the types of answers

        return Messages(self)

    @cached_property
    def models(self) -> Models:
        """Which models there are."""
        from .resources.models import Models  # see `messages`

        return Models(self)

    @cached_property
    def beta(self) -> Beta:
        """What is not final yet."""
        from .resources.beta import Beta  # see `messages`

        return Beta(self)


class AsyncAnthropic(AnthropicConfiguration, AsyncAPIClient):
    """The asynchronous client of the Messages API, on trio and asyncio, with the settings of `Anthropic`."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: float = DEFAULT_MAX_RETRIES,
        default_headers: Headers | None = None,
        default_query: Query | None = None,
        http_client: httpx.AsyncClient | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
        max_retry_after: float = MAX_RETRY_AFTER,
        _strict_response_validation: bool = False,
    ) -> None:
        super().__init__(
            version=__version__,
            base_url=effective_base_url(base_url),
            timeout=timeout,
            max_retries=max_retries,
            custom_headers=default_headers,
            custom_query=default_query,
            http_client=http_client,
            on_retry=on_retry,
            max_retry_after=max_retry_after,
            _strict_response_validation=_strict_response_validation,
        )
        self._read_credentials(api_key, auth_token)

    @cached_property
    def messages(self) -> AsyncMessages:
        """The Messages endpoints."""
        from .resources.messages import AsyncMessages  # resources import the types of answers

        return AsyncMessages(self)

    @cached_property
    def models(self) -> AsyncModels:
        """Which models there are."""
        from .resources.models import AsyncModels  # see `messages`

        return AsyncModels(self)

    @cached_property
    def beta(self) -> AsyncBeta:
        """What is not final yet."""
        from .resources.beta import AsyncBeta  # see `messages`

        return AsyncBeta(self)
