"""`Anthropic` and `AsyncAnthropic`: the Messages API, its credentials and its resources."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self, cast

from headrace_client._base_client.flow import RetryEvent
from headrace_client._base_client.logging import setup_logging
from headrace_client._requests.headers import MergedHeaders, combine_headers
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    MAX_RETRY_AFTER,
    HeadersLike,
    NotGiven,
    Query,
    TimeoutTypes,
    not_given,
)

from ._base_client import AsyncAPIClient, BaseClient, SyncAPIClient
from ._version import __version__

if TYPE_CHECKING:
    import httpx

    from .resources.beta import AsyncBeta, Beta
    from .resources.messages import AsyncMessages, Messages
    from .resources.models import AsyncModels, Models

DEFAULT_BASE_URL = "https://api.anthropic.com"
API_VERSION = "2023-06-01"
CREDENTIAL_HEADERS = frozenset({"x-api-key", "authorization"})

setup_logging()


class AnthropicConfiguration(BaseClient):
    """What both clients of the Messages API share: credentials, version header, copies."""

    api_key: str | None
    auth_token: str | None

    def _read_credentials(self, api_key: str | None, auth_token: str | None) -> None:
        """Set the credentials. The environment is used only if none is given.

        A token in the environment must not go to a server for which the caller gave a key.
        """
        if api_key is None and auth_token is None:
            api_key = _from_environment("ANTHROPIC_API_KEY")
            auth_token = _from_environment("ANTHROPIC_AUTH_TOKEN")
        self.api_key, self.auth_token = api_key, auth_token

    @property
    def auth_headers(self) -> dict[str, str]:
        """The headers that carry the API key, the token, or both."""
        headers: dict[str, str] = {}
        if self.api_key:
            headers["X-Api-Key"] = self.api_key
        if self.auth_token:
            headers["Authorization"] = f"Bearer {self.auth_token}"
        return headers

    def _builtin_headers(self) -> dict[str, str]:
        return {**super()._builtin_headers(), "anthropic-version": API_VERSION}

    def _validate_headers(self, headers: MergedHeaders) -> None:
        if not any(headers.values.get(name) or name in headers.omitted for name in CREDENTIAL_HEADERS):
            raise TypeError(
                '"Could not resolve authentication method. Expected either api_key or auth_token to be set. '
                'Or for one of the `X-Api-Key` or `Authorization` headers to be explicitly omitted"'
            )

    @property
    def with_raw_response(self) -> Any:
        """The resources, with methods that return an `APIResponse` (`AsyncAPIResponse`), its body read."""
        from headrace_client._responses.raw_responses import RawResponses  # imports the response types

        return RawResponses(self)

    @property
    def with_streaming_response(self) -> Any:
        """The resources, with methods that return a context manager for a response that has not been read."""
        from headrace_client._responses.raw_responses import (
            StreamingResponses,  # imports the response types
        )

        return StreamingResponses(self, asynchronous=self._asynchronous)

    def copy(
        self,
        *,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        http_client: Any = None,
        max_retries: float | NotGiven = not_given,
        default_headers: HeadersLike | None = None,
        set_default_headers: HeadersLike | None = None,
        default_query: Query | None = None,
        set_default_query: Query | None = None,
        headers: HeadersLike | None = None,
        on_retry: Callable[[RetryEvent], object] | NotGiven | None = not_given,
        max_retry_after: float | NotGiven = not_given,
        _extra_kwargs: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a client with some settings changed. It shares this client's HTTP client and clock.

        ``default_headers`` (or ``headers``) and ``default_query`` are merged over the current ones;
        ``set_default_headers`` and ``set_default_query`` replace them. Raises `ValueError` if both are given.
        """
        added = {**(default_headers or {}), **(headers or {})}
        _reject_both("default_headers", added, set_default_headers)
        _reject_both("default_query", default_query, set_default_query)
        if set_default_headers is None:
            set_default_headers = combine_headers(self._custom_headers, added)
        if set_default_query is None:
            set_default_query = {**self._custom_query, **(default_query or {})}
        make = cast("Callable[..., Self]", type(self))
        copied = make(
            base_url=self._url if base_url is None else base_url,
            timeout=_given_or(self._timeout, timeout),
            http_client=http_client or self._client,
            max_retries=_given_or(self.max_retries, max_retries),
            default_headers=set_default_headers,
            default_query=set_default_query,
            on_retry=_given_or(self.on_retry, on_retry),
            max_retry_after=_given_or(self.max_retry_after, max_retry_after),
            _strict_response_validation=self._strict_response_validation,
            **(_extra_kwargs or {}),
        )
        # Set afterwards: the constructor would read the environment for a client without credentials.
        copied.clock = self.clock
        copied.api_key = self.api_key if api_key is None else api_key
        copied.auth_token = self.auth_token if auth_token is None else auth_token
        return copied

    with_options = copy


class Anthropic(AnthropicConfiguration, SyncAPIClient):
    """The blocking client of the Messages API.

    ``api_key``, ``auth_token``: by default from ``ANTHROPIC_API_KEY`` and ``ANTHROPIC_AUTH_TOKEN``.
    ``base_url``: by default from ``ANTHROPIC_BASE_URL``. ``timeout``: seconds, an `httpx.Timeout`, or None
    for no timeout. ``max_retries``: `math.inf` for no limit. ``on_retry``: called with a `RetryEvent` before
    each wait. ``max_retry_after``: seconds; if a server requests a longer wait, the request fails at once.

    Raises `TypeError` or `ValueError` for an invalid ``timeout``, ``max_retries`` or ``http_client``.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        auth_token: str | None = None,
        base_url: str | httpx.URL | None = None,
        timeout: TimeoutTypes | NotGiven = not_given,
        max_retries: float = DEFAULT_MAX_RETRIES,
        default_headers: HeadersLike | None = None,
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
        from .resources.messages import Messages  # resources import the response types

        return Messages(self)

    @cached_property
    def models(self) -> Models:
        """The models that are available."""
        from .resources.models import Models  # imports the response types

        return Models(self)

    @cached_property
    def beta(self) -> Beta:
        """The endpoints with beta features."""
        from .resources.beta import Beta  # imports the response types

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
        default_headers: HeadersLike | None = None,
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
        from .resources.messages import AsyncMessages  # resources import the response types

        return AsyncMessages(self)

    @cached_property
    def models(self) -> AsyncModels:
        """The models that are available."""
        from .resources.models import AsyncModels  # imports the response types

        return AsyncModels(self)

    @cached_property
    def beta(self) -> AsyncBeta:
        """The endpoints with beta features."""
        from .resources.beta import AsyncBeta  # imports the response types

        return AsyncBeta(self)


def effective_base_url(base_url: str | httpx.URL | None) -> str:
    """Return the given base URL, else the environment's, else the API's. An empty one counts as not given."""
    given = "" if base_url is None else str(base_url)
    return given or _from_environment("ANTHROPIC_BASE_URL") or DEFAULT_BASE_URL


def _from_environment(name: str) -> str | None:
    """Return a variable without the white space and the byte order mark that come with text from a file."""
    return os.environ.get(name, "").strip().removeprefix("\ufeff").strip() or None


def _reject_both(name: str, merged: object, replacement: object) -> None:
    if merged and replacement is not None:
        raise ValueError(f"`{name}` and `set_{name}` arguments are mutually exclusive")


def _given_or(current: Any, new: Any) -> Any:
    return current if isinstance(new, NotGiven) else new
