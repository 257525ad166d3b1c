"""Reading the end of a response whose last event has come, so that its connection can be reused.

Most servers end the response at once; then a new connection, with its handshake, is saved. A response that
does not end is left after `LINGER` seconds. No error matters here: the answer is whole.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from headrace_client.transport.http1 import LINGER

if TYPE_CHECKING:
    import httpx


def linger(response: httpx.Response, chunks: Iterator[bytes]) -> None:
    """Read what is left. A timer ends the connection: a blocking read gets its deadline when it begins.

    A connection of HTTP/2 carries other responses, too. There the response is left at once.
    """
    stream = response.extensions.get("network_stream")
    sock = stream and stream.get_extra_info("socket")
    if not isinstance(sock, socket.socket) or response.http_version != "HTTP/1.1":
        return
    timer = threading.Timer(LINGER, _cut, (sock,))
    timer.daemon = True
    timer.start()
    try:
        with suppress(Exception):
            for _ in chunks:
                pass
    finally:
        timer.cancel()


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # without TLS's goodbye, which could block


async def linger_async(chunks: AsyncIterator[bytes]) -> None:
    """Read what is left, for `LINGER` seconds at most."""
    with anyio.move_on_after(LINGER), suppress(Exception):
        async for _ in chunks:
            pass
