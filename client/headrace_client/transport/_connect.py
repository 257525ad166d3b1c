"""Opening connections: names looked up once in a while, addresses raced, TLS on top."""

from __future__ import annotations

import functools
import os
import socket
import ssl
from collections.abc import Awaitable, Callable

import trio

from ._origin import Origin
from ._stream import ByteStream, SocketStream, start_tls

Connector = Callable[[Origin], Awaitable[ByteStream]]
"""Opens a connection to an origin. Raises `OSError` when none comes about."""


@functools.cache
def default_ssl_context() -> ssl.SSLContext:
    """Return the process's TLS client context, built at the first call (it takes 22 ms).

    Trusts what ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` name, else certifi's roots, as httpx does.
    """
    import certifi

    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    context = ssl.create_default_context(cafile=file or (None if folder else certifi.where()), capath=folder)
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    return context


async def connect_tcp(origin: Origin) -> ByteStream:
    """Open a TCP connection to ``origin``, with TLS if its scheme is https."""
    stream = await trio.open_tcp_stream(origin.host, origin.port)
    sock = socket.socket(fileno=stream.socket.detach())
    sock.settimeout(0)
    if origin.scheme == "http":
        return SocketStream(sock)
    return await start_tls(sock, default_ssl_context(), origin.host)
