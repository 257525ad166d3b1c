"""The transport behind `httpx.AsyncClient`, under trio: pass an `HttpxTransport` as ``transport=``.

The core's errors become httpx's:

    ConnectFailed                        ConnectTimeout if time was up, else ConnectError
    ConnectionLost                       ReadError if the request was sent, else WriteError
    AttemptTimedOut                      ReadTimeout if the request was sent, else WriteTimeout
    ProtocolViolation, ResponseTooLarge  RemoteProtocolError

Bodies are handed on as they arrive and httpx decodes them. As a compressed bomb would grow there without a
bound, the expansion is held to a ratio here, and codings whose expansion cannot be looked into (br, zstd) are
neither offered nor accepted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING

import attrs
import httpx
import trio

from ._connection_pool import ConnectionPool
from ._content import ExpansionGuard
from ._errors import AttemptTimedOut, ConnectFailed, ConnectionLost, TransportError
from ._headers import Headers
from ._http1 import ReadLimits
from ._http1_request import request_head
from ._origin import Origin
from ._streamed_exchange import StreamedExchange

if TYPE_CHECKING:
    from collections.abc import Generator

_CODINGS_NOT_OFFERED = frozenset({"br", "zstd"})
_COMPRESSED_PIECE = 16 * 1024
"""Bytes of a compressed body handed on at once: what they decode to fits into 17 MB."""


@attrs.frozen(kw_only=True)
class _Timeouts:
    """httpx's four timeouts in seconds, `inf` for none."""

    connect: float
    read: float
    write: float
    pool: float

    @classmethod
    def of(cls, request: httpx.Request) -> _Timeouts:
        given: dict[str, float | None] = request.extensions.get("timeout") or {}
        values = {name: given.get(name) for name in ("connect", "read", "write", "pool")}
        return cls(**{name: inf if value is None else value for name, value in values.items()})


class HttpxTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests through a `ConnectionPool`; closing it closes the pool."""

    def __init__(self, pool: ConnectionPool | None = None) -> None:
        self._pool = ConnectionPool() if pool is None else pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response as soon as its head has arrived."""
        timeouts = _Timeouts.of(request)
        head, body = _encode(request)
        with _mapped(request):
            exchange = await self._begin(request, timeouts)
            status, raw = await exchange.send(
                head, body, ReadLimits(body=None), bodiless=request.method == "HEAD"
            )
        headers = Headers.parse(raw)
        version, _, rest = raw[: raw.index(b"\r\n")].partition(b" ")
        return httpx.Response(
            status,
            headers=list(headers.raw),
            stream=_Body(exchange, request, headers.get("content-encoding", "")),
            extensions={"http_version": version, "reason_phrase": rest[4:]},
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()

    async def _begin(self, request: httpx.Request, timeouts: _Timeouts) -> StreamedExchange:
        try:
            with trio.fail_after(timeouts.pool + timeouts.connect):
                connection = await self._pool.acquire(_origin(request.url), connect_timeout=timeouts.connect)
        except trio.TooSlowError as error:
            raise httpx.PoolTimeout("no connection came free in time", request=request) from error
        return StreamedExchange(
            self._pool, connection, read_timeout=timeouts.read, write_timeout=timeouts.write
        )


class _Body(httpx.AsyncByteStream):
    """The body of a response, read from the connection as it is iterated over."""

    def __init__(self, exchange: StreamedExchange, request: httpx.Request, content_encoding: str) -> None:
        self._exchange = exchange
        self._request = request
        self._coding = content_encoding

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        with _mapped(self._request):
            guard = ExpansionGuard(self._coding)
        while True:
            with _mapped(self._request):
                piece = await self._exchange.receive()
            if piece is None:
                return
            for part in _parts(piece) if guard.compressed else (piece,):
                with _mapped(self._request):
                    guard.feed(part)
                yield part

    async def aclose(self) -> None:
        """Give the connection back, to be closed if the body was not read to its end."""
        self._exchange.close()


@contextmanager
def _mapped(request: httpx.Request) -> Generator[None]:
    """Raise the transport's errors as httpx's."""
    try:
        yield
    except TransportError as error:
        raise _httpx_class(error)(str(error), request=request) from error


def _httpx_class(error: TransportError) -> type[httpx.TransportError]:
    if isinstance(error, ConnectFailed):
        in_time = not isinstance(error.__cause__, trio.TooSlowError)
        return httpx.ConnectError if in_time else httpx.ConnectTimeout
    if isinstance(error, ConnectionLost):
        return httpx.ReadError if error.sent else httpx.WriteError
    if isinstance(error, AttemptTimedOut):
        return httpx.ReadTimeout if error.sent else httpx.WriteTimeout
    return httpx.RemoteProtocolError


def _origin(url: httpx.URL) -> Origin:
    port = url.port or (443 if url.scheme == "https" else 80)
    return Origin(url.scheme, url.raw_host.decode("ascii").strip("[]"), port)


def _encode(request: httpx.Request) -> tuple[bytes, bytes | AsyncIterator[bytes]]:
    """Return the request's head, and its body either whole or as framed pieces."""
    if request.url.scheme not in {"http", "https"}:
        raise httpx.UnsupportedProtocol(f"cannot send to {request.url.scheme}://", request=request)
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
    offered = [
        (name, _without_unbounded(value) if name.lower() == "accept-encoding" else value)
        for name, value in fields
    ]
    head = (
        request_head(request.method, request.url.raw_path.decode("ascii"), _origin(request.url), offered)
        + b"\r\n"
    )
    stream = request.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous client needs an asynchronous request body")
    if isinstance(stream, httpx.ByteStream):
        return head, b"".join(stream)
    chunked = "transfer-encoding" in request.headers
    return head, _chunks(stream) if chunked else aiter(stream)


async def _chunks(stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes, None]:
    """Frame the pieces as chunks (RFC 9112 section 7.1); an empty one would end the body."""
    async for piece in stream:
        if piece:
            yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def _without_unbounded(accept_encoding: str) -> str:
    offered = [item.strip() for item in accept_encoding.split(",")]
    return ", ".join(item for item in offered if item.partition(";")[0].strip() not in _CODINGS_NOT_OFFERED)


def _parts(piece: bytes) -> list[bytes]:
    return [piece[at : at + _COMPRESSED_PIECE] for at in range(0, len(piece), _COMPRESSED_PIECE)]
