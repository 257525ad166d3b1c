"""headrace's transport for `httpx.AsyncClient`, on trio: pass an `HttpxTransport` as ``transport=``.

The transport's errors become httpx's:

    ConnectFailed                        ConnectTimeout if the time was up, else ConnectError
    ConnectionLost                       ReadError if the request was sent, else WriteError
    AttemptTimedOut                      ReadTimeout if the request was sent, else WriteTimeout
    ProtocolViolation, ResponseTooLarge  RemoteProtocolError

Bodies are passed on as they arrive, and httpx decodes them. There, a compressed bomb would grow without a
bound, so the expansion is limited to a ratio here. Codings whose expansion cannot be checked (br, zstd) are
neither offered nor accepted.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from functools import lru_cache
from math import inf
from typing import Any

import attrs
import httpx
import trio

from headrace_client.transport.connection_pool import ConnectionPool
from headrace_client.transport.content import ExpansionGuard
from headrace_client.transport.errors import AttemptTimedOut, ConnectFailed, ConnectionLost, TransportError
from headrace_client.transport.headers import Headers, encode_field
from headrace_client.transport.http1 import ReadLimits
from headrace_client.transport.http1_request import request_head
from headrace_client.transport.origin import Origin
from headrace_client.transport.pool import NEW_CONNECTION
from headrace_client.transport.streamed_exchange import StreamedExchange

_LENGTH = b"content-length"
_CODINGS_NOT_OFFERED = frozenset({"br", "zstd"})
UNBOUNDED = ReadLimits(body=None)
"""For bodies that are passed on as they arrive, or that httpx would not bound either."""
_COMPRESSED_CHUNK = 16 * 1024
"""Bytes of a compressed body passed on at once; decoded, they fit into 17 MB."""


@attrs.frozen(kw_only=True)
class Timeouts:
    """httpx's four timeouts, in seconds, `inf` for none."""

    connect: float = inf
    read: float = inf
    write: float = inf
    pool: float = inf

    @classmethod
    def of(cls, timeout: Mapping[str, float | None]) -> Timeouts:
        """Read httpx's ``timeout`` extension, where None or a missing key means no timeout."""
        return _timeouts(tuple(timeout.items()))


@lru_cache(maxsize=64)
def _timeouts(timeout: tuple[tuple[str, float | None], ...]) -> Timeouts:
    """Make them from names and values; a program has few (cached: 0.5 us instead of 2)."""
    return Timeouts(**{name: value for name, value in timeout if value is not None})


class HttpxTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests through a `ConnectionPool`; closing it closes the pool."""

    def __init__(self, pool: ConnectionPool | None = None) -> None:
        self._pool = ConnectionPool() if pool is None else pool

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request and return the response as soon as its head has arrived.

        Raises `httpx.TransportError`, and `ValueError` for headers that cannot be sent safely.
        """
        head, body = _encode(request)
        try:
            exchange = await self.begin(
                origin_of(request.url),
                Timeouts.of(request.extensions.get("timeout", {})),
                new=NEW_CONNECTION in request.extensions,
            )
            status, raw_head = await exchange.send(head, body, UNBOUNDED, bodiless=request.method == "HEAD")
        except (TransportError, trio.TooSlowError) as error:
            raise httpx_error(error, request) from error
        headers = Headers.parse(raw_head)
        return httpx.Response(
            status,
            headers=list(headers.raw),
            stream=_Body(exchange, request, headers.get("content-encoding", "")),
            extensions=response_extensions(raw_head),
        )

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def begin(self, origin: Origin, timeouts: Timeouts, *, new: bool = False) -> StreamedExchange:
        """Return an exchange on a connection of the pool, or on a ``new`` one.

        Raises `TransportError`, and `trio.TooSlowError` if none became available in time.
        """
        await trio.lowlevel.checkpoint_if_cancelled()  # a cancelled task sends nothing
        connection = None if new else self._pool.take_nowait(origin, trio.current_time())
        if connection is None:
            with trio.fail_after(timeouts.pool + timeouts.connect):
                connection = await self._pool.acquire(origin, connect_timeout=timeouts.connect, new=new)
        return StreamedExchange(
            self._pool, connection, read_timeout=timeouts.read, write_timeout=timeouts.write
        )


def response_extensions(head: bytes) -> dict[str, Any]:
    """Return the parts of a raw head that httpx expects as extensions."""
    version, _, rest = head[: head.index(b"\r\n")].partition(b" ")
    return {"http_version": version, "reason_phrase": rest[4:]}


class _Body(httpx.AsyncByteStream):
    """The body of a response, read from the connection as it is iterated over."""

    def __init__(self, exchange: StreamedExchange, request: httpx.Request, content_encoding: str) -> None:
        self._exchange = exchange
        self._request = request
        self._coding = content_encoding

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        try:
            guard = ExpansionGuard(self._coding)
            while (chunk := await self._exchange.receive()) is not None:
                for part in _parts(chunk) if guard.compressed else (chunk,):
                    guard.feed(part)
                    yield part
        except (TransportError, trio.TooSlowError) as error:
            raise httpx_error(error, self._request) from error

    async def aclose(self) -> None:
        """Return the connection to the pool, which closes it unless the body was read to its end."""
        self._exchange.close()


def httpx_error(error: TransportError | trio.TooSlowError, request: httpx.Request) -> httpx.TransportError:
    """Return httpx's error for a failure of `HttpxTransport.begin` or of the exchange."""
    if isinstance(error, trio.TooSlowError):
        return httpx.PoolTimeout("no connection became available in time", request=request)
    return _httpx_class(error)(str(error), request=request)


def _httpx_class(error: TransportError) -> type[httpx.TransportError]:
    if isinstance(error, ConnectFailed):
        timed_out = isinstance(error.__cause__, trio.TooSlowError)
        return httpx.ConnectTimeout if timed_out else httpx.ConnectError
    if isinstance(error, ConnectionLost):
        return httpx.ReadError if error.sent else httpx.WriteError
    if isinstance(error, AttemptTimedOut):
        return httpx.ReadTimeout if error.sent else httpx.WriteTimeout
    return httpx.RemoteProtocolError


def origin_of(url: httpx.URL) -> Origin:
    """Return the origin of an httpx URL."""
    port = url.port or (443 if url.scheme == "https" else 80)
    return Origin(url.scheme, url.raw_host.decode("ascii").strip("[]"), port)


def encode_head(request: httpx.Request) -> bytes:
    """Return the head of the request, without its length and the final empty line.

    Raises `httpx.UnsupportedProtocol`, and `ValueError` for headers that cannot be sent safely.
    """
    return _head_of(request, [field for field in request.headers.raw if field[0].lower() != _LENGTH])


def _head_of(request: httpx.Request, fields: list[tuple[bytes, bytes]]) -> bytes:
    if request.url.scheme not in {"http", "https"}:
        raise httpx.UnsupportedProtocol("the URL must begin with http:// or https://", request=request)
    return _encoded_head(request.method, request.url.raw_path, origin_of(request.url), tuple(fields))


@lru_cache(maxsize=256)
def _encoded_head(method: str, target: bytes, origin: Origin, raw: tuple[tuple[bytes, bytes], ...]) -> bytes:
    """Encode a head without its length; a client has few (cached: 3 us instead of 20)."""
    fields = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]
    offered = [
        (name, _without_unbounded(value) if name.lower() == "accept-encoding" else value)
        for name, value in fields
    ]
    return request_head(method, target.decode("ascii"), origin, offered)


def _encode(request: httpx.Request) -> tuple[bytes, bytes | AsyncIterator[bytes]]:
    """Return the head of the request, and its body as a whole or as framed chunks.

    Raises `TypeError` for a body that cannot be sent, and what `encode_head` raises.
    """
    fields: list[tuple[bytes, bytes]] = []
    lengths: list[bytes] = []
    for name, value in request.headers.raw:
        if name.lower() == _LENGTH:
            lengths.append(encode_field("content-length", value.decode("latin-1")))
        else:
            fields.append((name, value))
    head = b"".join([_head_of(request, fields), *lengths, b"\r\n"])
    stream = request.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("an asynchronous client needs an asynchronous body: use `async def` for its iterator")
    if isinstance(stream, httpx.ByteStream):
        return head, b"".join(stream)
    chunked = "transfer-encoding" in request.headers
    return head, _chunks(stream) if chunked else aiter(stream)


async def _chunks(stream: httpx.AsyncByteStream) -> AsyncGenerator[bytes, None]:
    """Frame the body in chunks (RFC 9112 section 7.1); an empty one would end it."""
    async for data in stream:
        if data:
            yield b"%x\r\n%b\r\n" % (len(data), data)
    yield b"0\r\n\r\n"


def _without_unbounded(accept_encoding: str) -> str:
    offered = [item.strip() for item in accept_encoding.split(",")]
    return ", ".join(item for item in offered if item.partition(";")[0].strip() not in _CODINGS_NOT_OFFERED)


def _parts(chunk: bytes) -> list[bytes]:
    return [chunk[at : at + _COMPRESSED_CHUNK] for at in range(0, len(chunk), _COMPRESSED_CHUNK)]
