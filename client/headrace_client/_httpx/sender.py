"""The sender over a user's `httpx.AsyncClient`, on trio and asyncio, with its proxies, hooks and auth.

One attempt at a time, without redirects; httpx's errors become the transport's. httpx does not report
whether a connection was reused or how much had arrived. So ``reused`` is always False, and ``sent`` is True
once there was a connection, because the request may have been billed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, cast

import anyio

from headrace_client.transport import (
    AttemptTimedOut,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    ReadLimits,
    ResponseTooLarge,
    TransportError,
)
from headrace_client.transport.exchange import OnData
from headrace_client.transport.headers import encode_field
from headrace_client.transport.pool import NEW_CONNECTION
from headrace_client.transport.sender import Response, Sender

from .lingering import linger_async

if TYPE_CHECKING:
    import httpx

_LIBRARIES = frozenset({"httpx", "httpx2"})
_MEANINGS: dict[str, type[TransportError]] = {
    "ConnectError": ConnectFailed,
    "ConnectTimeout": ConnectFailed,
    "PoolTimeout": ConnectFailed,
    "ProxyError": ConnectFailed,
    "UnsupportedProtocol": ConnectFailed,
    "TimeoutException": AttemptTimedOut,
    "NetworkError": ConnectionLost,
    "LocalProtocolError": ProtocolViolation,
    "TransportError": ProtocolViolation,
    "DecodingError": ProtocolViolation,
}
"""By class name, so httpx does not have to be imported. The nearest ancestor counts."""
_DISCONNECTED = ("disconnected", "peer closed connection")
"""How httpcore and h11 report, in a RemoteProtocolError, a connection that ended before the response."""


class _Received:
    """What has come of a response."""

    def __init__(self, started_at: float) -> None:
        self.parts: list[bytes] = []
        self._started_at = started_at
        self._first_byte_at = inf
        self._status = 0
        self._head = b""

    def begin(self, response: httpx.Response) -> None:
        self._first_byte_at = anyio.current_time()
        self._status = response.status_code
        self._head = _raw_head(response)

    def response(self) -> Response:
        return Response(
            status=self._status,
            head=self._head,
            body=b"".join(self.parts),
            started_at=self._started_at,
            first_byte_at=self._first_byte_at,
            finished_at=anyio.current_time(),
        )

    def partial(self) -> Response | None:
        """Return the body so far of a 2xx response."""
        return self.response() if self.parts and 200 <= self._status < 300 else None


class HttpxSender:
    """A sender that sends through an `httpx.AsyncClient`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        method: str,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: tuple[float | None, float | None, float | None, float | None],
        limits: ReadLimits,
    ) -> None:
        self._client = client
        self._method = method
        self._url = url
        self._headers = {"accept-encoding": "identity", "x-stainless-retry-count": "0"} | _lower(headers)
        self._counts = "x-stainless-retry-count" not in _lower(headers)
        self._timeout = timeout
        self._limits = limits

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return self._url

    async def send(
        self,
        body: bytes,
        *,
        retries_taken: int = 0,
        deadline: float = inf,
        on_data: OnData | None = None,
        new_connection: bool = False,
    ) -> Response:
        """Make one attempt and return the whole response; see `Sender.send`. Raises `TransportError`."""
        if deadline <= anyio.current_time():
            raise AttemptTimedOut("the deadline had passed before the attempt began")
        received = _Received(anyio.current_time())
        with anyio.CancelScope(deadline=deadline):
            try:
                await self._exchange(received, body, retries_taken, on_data, new_connection=new_connection)
                return received.response()
            except TransportError as error:
                error.partial = received.partial()
                raise
            except Exception as error:
                failure = transport_error(error)
                if failure is None:
                    raise
                failure.partial = received.partial()
                raise failure from error
        late = AttemptTimedOut("the deadline passed", sent=True)
        late.partial = received.partial()
        raise late

    async def _exchange(
        self,
        received: _Received,
        body: bytes,
        retries_taken: int,
        on_data: OnData | None,
        *,
        new_connection: bool,
    ) -> None:
        size = 0
        async with self._client.stream(
            self._method,
            self._url,
            content=body or None,
            headers=self._headers | ({"x-stainless-retry-count": str(retries_taken)} if self._counts else {}),
            timeout=self._timeout,
            follow_redirects=False,
            extensions={NEW_CONNECTION: True} if new_connection else None,
        ) as response:
            received.begin(response)
            async with aclosing(cast("AsyncGenerator[bytes, None]", response.aiter_bytes())) as chunks:
                async for chunk in chunks:
                    size += len(chunk)
                    self._check_size(size)
                    received.parts.append(chunk)
                    if on_data is not None and response.is_success and on_data(chunk) is True:
                        await linger_async(chunks)
                        break

    def _check_size(self, size: int) -> None:
        limit = self._limits.body
        if limit is not None and size > limit:
            raise ResponseTooLarge(f"the response body exceeds {limit} bytes", sent=True)


@asynccontextmanager
async def open_httpx_sender(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    headers: Mapping[str, str],
    *,
    idle_timeout: float = inf,
    limits: ReadLimits | None = None,
) -> AsyncGenerator[Sender, None]:
    """Open a sender of ``method`` requests to ``url`` through ``client``.

    ``idle_timeout``: an attempt fails after this many seconds without data; the client's own timeout applies
    to connecting. Raises `ValueError` for headers that cannot be sent safely.
    """
    for name, value in headers.items():
        encode_field(name, value)
    silence = None if idle_timeout == inf else idle_timeout
    timeout = (client.timeout.connect, silence, silence, None)
    yield HttpxSender(client, method, url, headers, timeout=timeout, limits=limits or ReadLimits())


def transport_error(error: Exception) -> TransportError | None:
    """Return the transport's error for one of httpx (or of its fork httpx2), None for any other error."""
    message = f"{type(error).__name__}: {error}"
    for cls in type(error).__mro__:
        meaning = _MEANINGS.get(cls.__name__) if cls.__module__.partition(".")[0] in _LIBRARIES else None
        if meaning is ProtocolViolation and any(phrase in message for phrase in _DISCONNECTED):
            meaning = ConnectionLost
        if meaning is not None:
            sent = meaning is not ConnectFailed and cls.__name__ != "LocalProtocolError"
            return meaning(message, sent=sent)
    return None


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _raw_head(response: httpx.Response) -> bytes:
    """Rebuild the raw head from the parts that httpx parsed."""
    start = f"{response.http_version} {response.status_code} {response.reason_phrase}\r\n".encode(
        "latin-1", "replace"
    )
    return start + b"".join(b"%b: %b\r\n" % field for field in response.headers.raw) + b"\r\n"
