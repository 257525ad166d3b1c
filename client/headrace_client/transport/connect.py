"""Opening connections: name lookup, a race of addresses, TLS.

A name lookup needs a thread and a race of addresses needs tasks. So the address that won a race (trio's
happy eyeballs, RFC 8305) is used for all connections of the next minute. When it fails, the next connection
races again.
"""

from __future__ import annotations

import functools
import os
import socket
import ssl
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from math import inf

import attrs
import trio

from .origin import Origin
from .stream import ByteStream, SocketStream, start_tls

Connector = Callable[[Origin], Awaitable[ByteStream]]
"""Opens a connection to an origin. Raises `OSError` if that fails."""

_DNS_TTL = 60.0
"""Seconds. `getaddrinfo` does not return the TTL of a record; API providers use 60 to 300."""
_KEEPALIVE_OPTIONS = (("TCP_KEEPIDLE", 60), ("TCP_KEEPALIVE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))
"""TCP probes after a silent minute: a response may take many, and routers drop silent connections."""


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the TLS client context of this process, built on the first call (it takes 22 ms).

    It trusts ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` of the environment, else certifi's roots, as httpx does.
    """
    import certifi

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder)
    return prepare_ssl_context(context)


def prepare_ssl_context(context: ssl.SSLContext) -> ssl.SSLContext:
    """Configure a context for the transport: HTTP/1.1 only, and no renegotiation during an exchange."""
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


@attrs.define
class _Winner:
    """The address that won the last race for a name."""

    lock: trio.Lock = attrs.Factory(trio.Lock)
    """Held while one task looks the name up; the others wait for its result."""
    address: str = ""
    until: float = -inf


class TcpConnector:
    """Opens TCP connections, with TLS where the scheme is https.

    ``ssl_context``: trusted roots and client certificates, by default those of `default_ssl_context`.
    ``dns_ttl``: for how many seconds an address is used without a new lookup.
    """

    def __init__(self, *, ssl_context: ssl.SSLContext | None = None, dns_ttl: float = _DNS_TTL) -> None:
        self._ssl_context = None if ssl_context is None else prepare_ssl_context(ssl_context)
        self._dns_ttl = dns_ttl
        self._winners: defaultdict[tuple[str, int], _Winner] = defaultdict(_Winner)

    async def __call__(self, origin: Origin) -> ByteStream:
        """Open a connection. Raises `OSError`."""
        stream = await self._open(origin.host, origin.port)
        sock = socket.socket(fileno=stream.socket.detach())
        sock.settimeout(0)
        _keep_alive(sock)
        if origin.scheme == "http":
            return SocketStream(sock)
        return await start_tls(sock, self._ssl_context or default_ssl_context(), origin.host)

    async def _open(self, host: str, port: int) -> trio.SocketStream:
        """Connect to the known address, else to the winner of a race."""
        winner = self._winners[host, port]
        if (stream := await self._open_known(winner, port)) is not None:
            return stream
        async with winner.lock:
            if (stream := await self._open_known(winner, port)) is not None:
                return stream
            stream = await trio.open_tcp_stream(host, port)
            winner.address = stream.socket.getpeername()[0]
            winner.until = time.monotonic() + self._dns_ttl
            return stream

    async def _open_known(self, winner: _Winner, port: int) -> trio.SocketStream | None:
        if time.monotonic() >= winner.until:
            return None
        try:
            return await trio.open_tcp_stream(winner.address, port)
        except OSError:
            winner.until = -inf
            return None


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE_OPTIONS:
        if (option := getattr(socket, name, None)) is not None:
            sock.setsockopt(socket.IPPROTO_TCP, option, value)


connect_tcp = TcpConnector()
"""The default `Connector`."""
