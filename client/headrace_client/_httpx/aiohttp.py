"""The transport of `DefaultAioHttpClient`: httpx-aiohttp, with two corrections. For asyncio only.

1. The session adds no headers and keeps no cookies: both are httpx's task. A limit of None means no limit.
2. Errors mean what they mean with httpx's own transport. httpx-aiohttp 0.2 maps every lost or refused
   connection to `httpx.ConnectTimeout`, and lets aiohttp's errors about an invalid response through.

Import it only where the extra ``aiohttp`` is installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import aiohttp
import httpx
import httpx_aiohttp
from sniffio import current_async_library

from .connection_trace import TRACE, ConnectionTrace

_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""The headers that aiohttp would add where httpx has none, for example because the caller omitted them."""

_MEANINGS: tuple[tuple[type[aiohttp.ClientError], type[httpx.TransportError]], ...] = (
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
)
"""Subclasses first: the first match counts."""


_current: ContextVar[ConnectionTrace | None] = ContextVar("_current", default=None)
"""The trace of the request that this task makes."""


def _traced() -> aiohttp.TraceConfig:
    """Return what makes a session report to the trace whether a connection is reused or opened."""

    async def reused(*_details: object) -> None:
        if (trace := _current.get()) is not None:
            trace.sending = True

    async def opened(*_details: object) -> None:
        if (trace := _current.get()) is not None:
            trace.opened = True

    config = aiohttp.TraceConfig()
    config.on_connection_reuseconn.append(reused)
    config.on_connection_create_start.append(opened)
    return config


class AiohttpTransport(httpx_aiohttp.AiohttpTransport):
    """Sends requests of an `httpx.AsyncClient` through an aiohttp session, opened for the first of them."""

    def __init__(self, *, trust_env: bool = True, **arguments: Any) -> None:
        super().__init__(client=self._open_session, trust_env=trust_env, **arguments)
        self._trust_env = trust_env

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises `httpx.TransportError`, and `RuntimeError` outside asyncio."""
        if current_async_library() != "asyncio":
            raise RuntimeError("The aiohttp client runs on asyncio only; use the default client instead.")
        trace = request.extensions.get(TRACE)
        _current.set(trace if isinstance(trace, ConnectionTrace) else None)
        with _corrected(request):
            response = await super().handle_async_request(request)
        if isinstance(trace, ConnectionTrace):
            trace.received = True
        response.stream = _Body(cast("httpx.AsyncByteStream", response.stream), request)
        return response

    def _open_session(self) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=self.limits.max_connections or 0,
            keepalive_timeout=self.limits.keepalive_expiry,
            ssl=self.ssl_context,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=_AUTOMATIC_HEADERS,
            trust_env=self._trust_env,
            trace_configs=[_traced()],
        )


class _Body(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _corrected(self._request):
            async for chunk in self._stream:
                yield chunk

    async def aclose(self) -> None:
        with _corrected(self._request):
            await self._stream.aclose()


@contextmanager
def _corrected(request: httpx.Request) -> Generator[None, None, None]:
    try:
        yield
    except (httpx.ConnectTimeout, aiohttp.ClientError) as error:
        cause = error.__cause__ if isinstance(error, httpx.ConnectTimeout) else error
        if isinstance(cause, TimeoutError):
            raise
        for error_class, meaning in _MEANINGS:
            if isinstance(cause, error_class):
                raise meaning(str(cause), request=request) from cause
        raise
