"""Requests that go straight to our own transport, past the client layer of httpx.

That layer (URL, headers, cookies, auth and redirect flows, a response of four objects) takes three times as
much CPU time as the exchange itself. It is passed by only where nobody would miss it: see `direct_route`.
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
_CODED: Final = b"\r\ncontent-encoding:"
_COOKIE: Final = b"\r\ncookie:"
_SETS_COOKIE: Final = b"\r\nset-cookie:"


def fast_path(http_client: Any) -> FastPath | None:
    """Return the way past ``http_client``, or None if requests have to go through it.

    They go straight to the transport only if

    1. trio runs the event loop (the caller has looked: what is imported here needs it);
    2. the HTTP client is one that this package has made for itself, it is open, and its transport is ours;
    3. it was not changed: no mounts (proxies of the environment are such), event hooks, auth, headers, query;
    4. nobody looks at the requests: no log of httpx's, and (the caller) no authentication or hook of a
       subclass;
    5. the answer is wanted whole, not as a stream (the caller);
    6. the single request is plain, too: see `FastPath.encode`.

    Cookies are kept as httpx keeps them.
    """
    if type(http_client) is not OwnAsyncHttpxClient or http_client.is_closed:
        return None
    if http_client.is_changed or _HTTPX_LOG.isEnabledFor(logging.INFO):
        return None
    transport = http_client.transport
    return FastPath(http_client, transport) if isinstance(transport, HttpxTransport) else None


@attrs.frozen
class EncodedRequest:
    """Where requests of one kind go, and their head, which ends before their length.

    ``request``: the one request that it is for, as it carries cookies.
    """

    origin: Origin
    head: bytes
    request: httpx.Request | None = None


_encoded_requests: BoundedCache[EncodedRequest | None] = BoundedCache()


@attrs.frozen
class FastPath:
    """The way past an HTTP client of ours to the transport below it."""

    http_client: OwnAsyncHttpxClient
    transport: HttpxTransport

    def encode(self, prepared: PreparedRequest) -> EncodedRequest | None:
        """Return where a request goes; None for one that httpx has to deal with.

        That is one with a body that is neither JSON nor bytes, with framing headers of the caller's, or with
        credentials or another scheme than HTTP's in its URL. Requests of one kind share one encoded request.
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
        """Make one attempt, the ``retries_taken``-th retry; return the answer with its body read."""
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
        """Send the request and read its whole answer. Raises `httpx.RequestError`."""
        started_at = trio.current_time()
        length = prepared.length
        head = encoded.head + (b"\r\n" if length is None else b"content-length: %d\r\n\r\n" % length)
        pieces: list[bytes] = []
        try:
            exchange = await self.transport.begin(
                encoded.origin, _timeouts(prepared.timeout), new=prepared.new_connection
            )
            status, raw = await exchange.send(
                head, prepared.content, UNBOUNDED, bodiless=prepared.method == "HEAD"
            )
            while (piece := await exchange.receive()) is not None:
                pieces.append(piece)
            return self._response(
                RawResponse(
                    status=status,
                    head=raw,
                    body=b"".join(pieces),
                    elapsed=trio.current_time() - started_at,
                    make_request=make_request,
                )
            )
        except (TransportError, trio.TooSlowError) as error:
            raise httpx_error(error, make_request()) from error

    def _response(self, arrived: RawResponse) -> LazyResponse:
        lower = arrived.head.lower()
        response = LazyResponse.of(arrived)
        if _CODED in lower:
            ExpansionGuard(Headers.parse(lower).get("content-encoding", "")).feed(arrived.body)
            response.materialize()
        if _SETS_COOKIE in lower:
            self.http_client.cookies.extract_cookies(response)
        return response

    def _request_sent(self, prepared: PreparedRequest, encoded: EncodedRequest) -> httpx.Request:
        """Return the request, without cookies that came later."""
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
    """Return what one request was given: a number, an `httpx.Timeout`, or None."""
    parts = timeout if isinstance(timeout, httpx.Timeout) else httpx.Timeout(timeout)
    return Timeouts.of(parts.as_dict())
