"""What the two clients share: their settings, and how these become a request.

Nothing here sends or sleeps. httpx is imported when a request or a setting needs it, so making a client takes
microseconds.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from headrace_client._exceptions import SENSITIVE_HEADERS
from headrace_client._httpx.request import PreparedRequest, http_request
from headrace_client._requests.body import body_arguments, replayable
from headrace_client._requests.headers import MergedHeaders, merge_headers
from headrace_client._requests.options import (
    DEFAULT_MAX_RETRIES,
    MAX_RETRY_AFTER,
    FinalRequestOptions,
    HeadersLike,
    NotGiven,
    Query,
    TimeoutTypes,
    not_given,
)
from headrace_client._requests.querystring import Querystring
from headrace_client._requests.urls import build_url, with_trailing_slash
from headrace_client._responses.errors import has_typed_body, inner_error
from headrace_client._wire.redirects import same_origin

from .clock import SYSTEM_CLOCK, Clock
from .flow import Flow, RetryEvent, Success, request_flow
from .logging import log_retry
from .platform import platform_headers
from .retry import RetryPolicy, checked_max_retries
from .settings import checked_timeout, default_timeout, read_timeout

if TYPE_CHECKING:
    import httpx

ResponseT = TypeVar("ResponseT")


class BaseClient:
    """The settings of an API client. You may set ``base_url``, ``timeout``, ``max_retries`` and ``clock``."""

    clock: Clock = SYSTEM_CLOCK
    """The source of time, sleep and jitter. Tests may set a `headrace_client.testing.VirtualClock`."""

    _idempotency_header: str | None = None
    _asynchronous: ClassVar[bool] = False
    _default_stream_cls: ClassVar[type[Any] | None] = None

    def __init__(
        self,
        *,
        version: str,
        base_url: str | httpx.URL,
        _strict_response_validation: bool = False,
        max_retries: float = DEFAULT_MAX_RETRIES,
        timeout: TimeoutTypes | NotGiven = not_given,
        custom_headers: HeadersLike | None = None,
        custom_query: Query | None = None,
        on_retry: Callable[[RetryEvent], object] | None = None,
        max_retry_after: float = MAX_RETRY_AFTER,
    ) -> None:
        self._version = version
        self._url = with_trailing_slash(str(base_url))
        self._strict_response_validation = _strict_response_validation
        self.max_retries = checked_max_retries(max_retries)
        self._timeout = checked_timeout(timeout)
        self._custom_headers: HeadersLike = dict(custom_headers or {})
        self._custom_query: Query = dict(custom_query or {})
        self.on_retry = on_retry
        self.max_retry_after = max_retry_after

    @property
    def base_url(self) -> httpx.URL:
        """The URL that paths are joined to. It always ends in a slash."""
        import httpx  # late: see the module's docstring

        return httpx.URL(self._url)

    @base_url.setter
    def base_url(self, url: str | httpx.URL) -> None:
        self._url = with_trailing_slash(str(url))

    @property
    def _base_url(self) -> httpx.URL:
        return self.base_url

    @property
    def timeout(self) -> TimeoutTypes:
        """The default timeout of requests: seconds, an `httpx.Timeout`, or None for no timeout."""
        return default_timeout() if isinstance(self._timeout, NotGiven) else self._timeout

    @timeout.setter
    def timeout(self, timeout: TimeoutTypes) -> None:
        self._timeout = checked_timeout(timeout)

    @property
    def _client(self) -> Any:
        """The HTTP client, made for the first request."""
        raise NotImplementedError

    @property
    def has_default_timeout(self) -> bool:
        """Whether the timeout is the default, so the caller has not said how long to wait."""
        return isinstance(self._timeout, NotGiven) or self._timeout == default_timeout()

    @property
    def user_agent(self) -> str:
        """The value of the ``User-Agent`` header."""
        return f"{type(self).__name__}/Python {self._version}"

    @property
    def auth_headers(self) -> dict[str, str]:
        """The headers that carry the credentials; the base class has none."""
        return {}

    @property
    def custom_auth(self) -> httpx.Auth | None:
        """An httpx authentication scheme for all requests. Subclasses may override it."""
        return None

    @property
    def default_headers(self) -> dict[str, str]:
        """The headers of every request: built-in, platform, credentials, given. Later ones win."""
        return dict(self._merge_headers().sent)

    @property
    def default_query(self) -> dict[str, object]:
        """The query parameters of every request."""
        return dict(self._custom_query)

    @property
    def qs(self) -> Querystring:
        """The format of query strings."""
        return Querystring(array_format="comma")

    def platform_headers(self) -> dict[str, str]:
        """Return the headers that describe the client and its platform."""
        return {**platform_headers(self._version), "X-Stainless-Async": self._loop_name()}

    def _loop_name(self) -> str:
        return "false"

    def _builtin_headers(self) -> dict[str, str]:
        return {
            "Accept": "application/json",
            "Content-Type": "application/json",
            "User-Agent": self.user_agent,
        }

    def _merge_headers(self, *layers: HeadersLike, foreign: bool = False) -> MergedHeaders:
        """Merge the client's headers with ``layers``. A ``foreign`` origin gets no credentials.

        Raises `TypeError` or `ValueError` for a value that cannot be sent.
        """
        own = (self._builtin_headers(), self.platform_headers(), self.auth_headers, self._custom_headers)
        if foreign:
            own = tuple(_without_credentials(layer) for layer in own)
        return merge_headers(*own, *layers)

    def _validate_headers(self, headers: MergedHeaders) -> None:
        """Raise `TypeError` if a request lacks a header that the API requires. Subclasses may override it."""

    def _retry_policy(self, options: FinalRequestOptions) -> RetryPolicy:
        retries = self.max_retries if isinstance(options.max_retries, NotGiven) else options.max_retries
        return RetryPolicy(
            max_retries=checked_max_retries(retries),
            max_retry_after=self.max_retry_after,
        )

    def _flow(self, options: FinalRequestOptions, http_client: Any, cast_to: Any, *, stream: bool) -> Flow:
        follow = options.follow_redirects
        if follow is None:
            follow = bool(http_client.follow_redirects)
        if self._idempotency_header and options.idempotency_key is None and options.method.lower() != "get":
            options = options.replace(idempotency_key=f"stainless-python-retry-{uuid.uuid4()}")
        boundary = "" if options.files is None else uuid.uuid4().hex
        looks_inside = not (stream or options.raw_response)
        return request_flow(
            replayable(options, asynchronous=self._asynchronous, boundary=boundary),
            self._retry_policy(options),
            follow_redirects=follow,
            clock=self.clock,
            find_error=inner_error if looks_inside and has_typed_body(cast_to) else None,
        )

    def _announce(self, event: RetryEvent) -> None:
        log_retry(event)
        if self.on_retry is not None:
            self.on_retry(event)

    def _send_arguments(self) -> dict[str, Any]:
        """Return the other arguments of the HTTP client's ``send``. The flow follows redirects itself."""
        auth = self.custom_auth
        return {"follow_redirects": False, **({} if auth is None else {"auth": auth})}

    def _request_url(self, options: FinalRequestOptions) -> str:
        query = {} if options.redirected else {**self.default_query, **options.params}
        return build_url(self._url, options.url, query, self.qs)

    def _request_headers(self, options: FinalRequestOptions, url: str, retries_taken: int) -> MergedHeaders:
        return self._endpoint_headers(url, self._call_headers(options, retries_taken), options.header_layer)

    def _endpoint_headers(self, url: str, *layers: HeadersLike) -> MergedHeaders:
        """Merge the headers for a request to ``url``; another origin does not get the client's credentials.

        Raises `TypeError` or `ValueError` for headers that cannot be sent.
        """
        foreign = not same_origin(url, self._url)
        headers = self._merge_headers(*layers, foreign=foreign)
        if not foreign:
            self._validate_headers(headers)
        return headers

    def _call_headers(self, options: FinalRequestOptions, retries_taken: int) -> dict[str, str]:
        """Return the headers that describe one attempt. The caller's headers win over them."""
        headers = {"x-stainless-retry-count": str(retries_taken)}
        if options.idempotency_key is not None:
            headers[self._idempotency_header or "Idempotency-Key"] = options.idempotency_key
        per_call = not isinstance(options.timeout, NotGiven)
        read = read_timeout(checked_timeout(options.timeout) if per_call else self.timeout)
        if read is not None:
            headers["x-stainless-read-timeout"] = str(read)
            if per_call:
                headers["x-stainless-timeout"] = str(read)
        return headers

    def _response(
        self,
        response_cls: Callable[..., ResponseT],
        success: Success,
        cast_to: object,
        options: FinalRequestOptions,
        *,
        stream: bool,
        stream_cls: type[Any] | None,
    ) -> ResponseT:
        """Wrap what a flow returned in `APIResponse` or `AsyncAPIResponse`."""
        return response_cls(
            raw=success.response,
            client=self,
            cast_to=cast_to,
            options=options,
            stream=stream,
            stream_cls=stream_cls or self._default_stream_cls,
            retries_taken=success.retries_taken,
        )

    def _prepared_request(self, options: FinalRequestOptions, retries_taken: int) -> PreparedRequest:
        """Return the request of one attempt, independent of any HTTP library.

        Raises `TypeError` or `ValueError` for headers, a query or a body that cannot be sent.
        """
        url = self._request_url(options)
        headers = self._request_headers(options, url, retries_taken)
        body = body_arguments(
            options,
            headers.values.get("content-type"),
            self.qs,
            asynchronous=self._asynchronous,
        )
        if body.content_type is not None:
            headers = headers.replaced("content-type", body.content_type)
        elif not body.keeps_content_type:
            headers = headers.without("content-type")
        return PreparedRequest(
            method=options.method.upper(),
            url=url,
            headers=headers,
            timeout=self.timeout if isinstance(options.timeout, NotGiven) else options.timeout,
            new_connection=options.new_connection,
            asynchronous=self._asynchronous,
            body=body.arguments,
        )

    def _assemble(self, http_client: Any, options: FinalRequestOptions, retries_taken: int) -> httpx.Request:
        return http_request(http_client, self._prepared_request(options, retries_taken))


def _without_credentials(layer: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in layer.items() if name.lower() not in SENSITIVE_HEADERS}
