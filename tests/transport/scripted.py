"""A peer that follows a script: one async function for each connection that the pool opens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

import attrs
import trio
import trio.testing

from headrace_client.transport import (
    ByteStream,
    ConnectionPool,
    Origin,
    PoolLimits,
    ReadLimits,
    memory_stream_pair,
)
from headrace_client.transport.sender import Sender, open_pooled_sender

ORIGIN = Origin("http", "api.test", 80)


class Peer:
    """The server's end of one connection."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._unread = b""

    async def request(self) -> bytes:
        """Return the next whole request: head and body as sent, framed by a length."""
        while b"\r\n\r\n" not in self._unread:
            self._unread += await self._some()
        head, _, rest = self._unread.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"\r\ncontent-length:")
        size = int(length.split(b"\r\n")[0]) if length else 0
        while len(rest) < size:
            rest += await self._some()
        self._unread = rest[size:]
        return head + b"\r\n\r\n" + rest[:size]

    async def send(self, *parts: bytes) -> None:
        for part in parts:
            await self.stream.send_all(part)

    async def wait_closed(self) -> None:
        """Wait until the client has closed the connection."""
        while await self.stream.receive_some():
            pass

    async def _some(self) -> bytes:
        data = await self.stream.receive_some()
        assert data, "the client closed the connection in the middle of a request"
        return data


Script = Callable[[Peer], Awaitable[None]]


@attrs.define
class Server:
    """Runs a script per connection: the first for the first connection and so on, the last for all others."""

    nursery: trio.Nursery
    scripts: tuple[Script, ...]
    connections: list[Peer] = attrs.Factory(list[Peer])

    async def connect(self, origin: Origin) -> ByteStream:
        client_end, server_end = memory_stream_pair()
        script = self.scripts[min(len(self.connections), len(self.scripts) - 1)]
        peer = Peer(server_end)
        self.connections.append(peer)
        self.nursery.start_soon(script, peer)
        await trio.testing.wait_all_tasks_blocked()  # what the peer says first has arrived
        return client_end


@asynccontextmanager
async def serving(*scripts: Script) -> AsyncGenerator[Server, None]:
    async with trio.open_nursery() as nursery:
        yield Server(nursery, scripts)
        nursery.cancel_scope.cancel()


@attrs.frozen
class Story:
    """A sender, its pool, and the server at the other end."""

    sender: Sender
    pool: ConnectionPool
    server: Server


@asynccontextmanager
async def story(
    *scripts: Script,
    method: str = "POST",
    idle_timeout: float = inf,
    limits: ReadLimits | None = None,
    pool_limits: PoolLimits | None = None,
    watched: bool = False,
) -> AsyncGenerator[Story, None]:
    async with serving(*scripts) as server:
        pool = ConnectionPool(connect=server.connect, limits=pool_limits)
        if watched:
            server.nursery.start_soon(pool.watchdog.run)
            await trio.testing.wait_all_tasks_blocked()
        async with open_pooled_sender(
            pool, ORIGIN, method, "/v1", {}, idle_timeout=idle_timeout, limits=limits
        ) as sender:
            yield Story(sender, pool, server)
        pool.close()


def response(
    body: bytes = b"", *headers: bytes, status: bytes = b"200 OK", framing: bytes | None = None
) -> bytes:
    """Return a response with a length, or with the given framing header."""
    framing = b"content-length: %d" % len(body) if framing is None else framing
    lines = [b"HTTP/1.1 " + status, *([framing] if framing else []), *headers]
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def always(*parts: bytes) -> Script:
    """Return a script that responds to every request with the same bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(*parts)

    async def until_closed(peer: Peer) -> None:
        try:
            await script(peer)
        except (AssertionError, BrokenPipeError):
            return  # the client went away, which is its right

    return until_closed
