"""The fast path: requests that go directly to headrace's transport and bypass httpx's client layer.

That layer (URL, headers, cookies, auth and redirect flows, a response of four objects) takes three times as
much CPU time as the exchange itself. It is bypassed only if it would make no difference: see `fast_path`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import attrs
import httpx
import trio

from headrace_client._exceptions import APIConnectionError
from headrace_client._httpx.clients import OwnAsyncHttpxClient
from headrace_client._httpx.errors import connection_error
from headrace_client._httpx.lazy_response import LazyResponse, RawResponse
from headrace_client._httpx.request import BoundedCache, PreparedRequest, http_request
from headrace_client._httpx.transport import (
    UNBOUNDED,
    HttpxTransport,
    Timeouts,
    encode_head,
    httpx_error,
    origin_of,
)
from headrace_client.transport import Origin, TransportError
from headrace_client.transport.content import ExpansionGuard
from headrace_client.transport.headers import Headers

from .logging import is_shown, log_response, log_send

_HTTPX_LOG: Final = logging.getLogger("httpx")
_CONTENT_ENCODING: Final = b"\r\ncontent-encoding:"
_COOKIE: Final = b"\r\ncookie:"
_SET_COOKIE: Final = b"\r\nset-cookie:"


def fast_path(http_client: Any) -> FastPath | None:
    """Return the fast path below ``http_client``, or None if requests have to go through the client.

    Requests take the fast path only if

    1. the event loop is trio's (checked by the caller, because the imports above need trio);
    2. the HTTP client is one that the package made for itself, is open, and uses headrace's transport;
    3. it was not changed: no mounts (such as proxies of the environment), event hooks, auth, headers, query;
    4. nothing observes requests: httpx's log is off, and (checked by the caller) no subclass has its own
       authentication or hooks;
    5. the response is wanted as a whole, not as a stream (checked by the caller);
    6. the request itself is plain: see `FastPath.encode`.

    Cookies are kept as httpx keeps them. Raises `RuntimeError` if the client belongs to another event loop.
    """
    if type(http_client) is not OwnAsyncHttpxClient or http_client.is_closed:
        return None
    if http_client.is_changed or _HTTPX_LOG.isEnabledFor(logging.INFO):
        return None
    transport = http_client.transport
    return FastPath(http_client, transport) if isinstance(transport, HttpxTransport) else None


@attrs.frozen
class EncodedRequest:
    """The destination and the head of requests of one kind, up to their content length.

    ``request``: the only request that it is for, because the head contains cookies.
    """

    origin: Origin
    head: bytes
    request: httpx.Request | None = None


_encoded_requests: BoundedCache[EncodedRequest | None] = BoundedCache()


@attrs.frozen
class FastPath:
    """The way from a request to the transport below an HTTP client of this package."""

    http_client: OwnAsyncHttpxClient
    transport: HttpxTransport

    def encode(self, prepared: PreparedRequest) -> EncodedRequest | None:
        """Return the encoded request, or None if httpx has to send it.

        httpx sends requests whose body is neither JSON nor bytes, whose headers include the framing, or whose
        URL has credentials or a scheme other than http and https. Requests of one kind share one encoded
        request. Raises `ValueError` for headers that cannot be sent.
        """
        if not prepared.is_plain:
            return None
        if self.http_client.cookies:
            request = http_request(self.http_client, prepared)
            return _encode(request, request)
        return _encoded_requests.get(prepared.kind, lambda: _encode(http_request(self.http_client, prepared)))

    async def attempt(
        self, prepared: PreparedRequest, encoded: EncodedRequest, retries_taken: int
    ) -> httpx.Response | APIConnectionError:
        """Make one attempt after ``retries_taken`` retries; return the read response, or the error."""
        make_request = partial(self._request_sent, prepared, encoded)
        if is_shown():
            log_send(make_request(), retries_taken)
        try:
            response = await self._exchange(prepared, encoded, make_request)
        except httpx.RequestError as error:
            if (failure := connection_error(error, error.request)) is None:
                raise
            return failure
        if is_shown():
            log_response(response)
        return response

    async def _exchange(
        self, prepared: PreparedRequest, encoded: EncodedRequest, make_request: Callable[[], httpx.Request]
    ) -> LazyResponse:
        """Send the request and read its whole response. Raises `httpx.RequestError`."""
        started_at = trio.current_time()
        length = prepared.length
        head = encoded.head + (b"\r\n" if length is None else b"content-length: %d\r\n\r\n" % length)
        chunks: list[bytes] = []
        try:
            exchange = await self.transport.begin(
                encoded.origin, _timeouts(prepared.timeout), new=prepared.new_connection
            )
            status, raw_head = await exchange.send(
                head, prepared.content, UNBOUNDED, bodiless=prepared.method == "HEAD"
            )
            while (chunk := await exchange.receive()) is not None:
                chunks.append(chunk)
            return self._response(
                RawResponse(
                    status=status,
                    head=raw_head,
                    body=b"".join(chunks),
                    elapsed=trio.current_time() - started_at,
                    make_request=make_request,
                )
            )
        except (TransportError, trio.TooSlowError) as error:
            raise httpx_error(error, make_request()) from error

    def _response(self, raw: RawResponse) -> LazyResponse:
        lower = raw.head.lower()
        response = LazyResponse.of(raw)
        if _CONTENT_ENCODING in lower:
            ExpansionGuard(Headers.parse(lower).get("content-encoding", "")).feed(raw.body)
            response.materialize()
        if _SET_COOKIE in lower:
            self.http_client.cookies.extract_cookies(response)
        return response

    def _request_sent(self, prepared: PreparedRequest, encoded: EncodedRequest) -> httpx.Request:
        """Return the request as it was sent, without cookies that arrived later."""
        if encoded.request is not None:
            return encoded.request
        request = http_request(self.http_client, prepared)
        if _COOKIE not in encoded.head.lower():
            request.headers.pop("cookie", None)
        return request


def _encode(request: httpx.Request, only: httpx.Request | None = None) -> EncodedRequest | None:
    if request.url.userinfo or request.url.scheme not in {"http", "https"}:
        return None
    return EncodedRequest(origin_of(request.url), encode_head(request), only)


def _timeouts(timeout: Any) -> Timeouts:
    """Return the timeouts of one request, given as a number, an `httpx.Timeout`, or None."""
    parts = timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout)
    return Timeouts.of(parts.as_dict())
