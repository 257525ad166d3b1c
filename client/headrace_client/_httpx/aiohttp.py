"""A transport for httpx that sends by aiohttp, which is faster at many connections; asyncio only.

Imported only where the extra ``aiohttp`` is installed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any, cast

import aiohttp
import httpx
from sniffio import current_async_library
from yarl import URL

_CHUNK = 65_536

_AUTOMATIC_HEADERS = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")
"""What aiohttp would add; httpx has decided about them already."""

# The first that fits counts, so subclasses come first.
_ERRORS: tuple[tuple[type[BaseException], type[httpx.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (aiohttp.SocketTimeoutError, httpx.ReadTimeout),
    (TimeoutError, httpx.TimeoutException),
    (aiohttp.ClientProxyConnectionError, httpx.ProxyError),
    (aiohttp.ClientHttpProxyError, httpx.ProxyError),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.NonHttpUrlClientError, httpx.UnsupportedProtocol),
    (aiohttp.ServerDisconnectedError, httpx.RemoteProtocolError),
    (aiohttp.ClientResponseError, httpx.RemoteProtocolError),
    (aiohttp.ClientError, httpx.ReadError),
    (OSError, httpx.NetworkError),
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends the requests of an `httpx.AsyncClient` by an aiohttp session, opened at the first of them."""

    def __init__(
        self,
        *,
        verify: Any = True,
        limits: httpx.Limits,
        proxy: str | None = None,
        trust_env: bool = True,
    ) -> None:
        self._verify = verify
        self._limits = limits
        self._proxy = proxy
        self._trust_env = trust_env
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request. Raises httpx's errors, and `RuntimeError` outside asyncio."""
        with _translated(request):
            response = await self._open_session().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=_headers(request),
                data=_body(request),
                allow_redirects=False,
                proxy=self._proxy,
                server_hostname=request.extensions.get("sni_hostname"),
                skip_auto_headers=_AUTOMATIC_HEADERS,
                timeout=_timeout(request.extensions.get("timeout", {})),
            )
        return httpx.Response(
            response.status,
            headers=response.raw_headers,
            stream=_Stream(response, request),
            extensions={
                "http_version": b"HTTP/1.1",
                "reason_phrase": (response.reason or "").encode("latin-1"),
            },
        )

    async def aclose(self) -> None:
        """Close the session with its connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if current_async_library() != "asyncio":
            raise RuntimeError("The aiohttp client runs on asyncio only; use the default client instead.")
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._limits.max_connections or 0,
                keepalive_timeout=self._limits.keepalive_expiry,
                ssl=self._verify,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                auto_decompress=False,  # httpx does it
                cookie_jar=aiohttp.DummyCookieJar(),  # httpx has its own
                trust_env=self._trust_env,
            )
        return self._session


class _Stream(httpx.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _translated(self._request):
            async for chunk in self._response.content.iter_chunked(_CHUNK):
                yield chunk

    async def aclose(self) -> None:
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()  # what has not arrived yet would belong to the next answer


@contextmanager
def _translated(request: httpx.Request) -> Generator[None, None, None]:
    try:
        yield
    except Exception as error:
        for theirs, ours in _ERRORS:
            if isinstance(error, theirs):
                raise ours(str(error), request=request) from error
        raise


def _headers(request: httpx.Request) -> list[tuple[str, str]]:
    """Return the header fields but the one by which httpx says what aiohttp finds out itself."""
    return [(name, value) for name, value in request.headers.multi_items() if name != "transfer-encoding"]


def _body(request: httpx.Request) -> Any:
    if "content-length" not in request.headers and "transfer-encoding" not in request.headers:
        return None
    return None if request.headers.get("content-length") == "0" else cast("Any", request.stream)


def _timeout(timeout: dict[str, float | None]) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None, sock_connect=timeout.get("connect"), sock_read=timeout.get("read")
    )
