"""Real sockets on the loopback interface, plain and TLS."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import pytest
import trio
import trustme

from headrace_client.transport import ConnectFailed, ConnectionLost, ConnectionPool, Origin, TcpConnector
from headrace_client.transport.sender import open_pooled_sender
from headrace_client.transport.stream import SocketStream

from .scripted import response

pytestmark = pytest.mark.trio
AUTHORITY = trustme.CA()
Handler = Callable[[trio.abc.Stream], Awaitable[None]]


@pytest.fixture(params=["http", "https"])
def scheme(request: pytest.FixtureRequest) -> str:
    return request.param


def server_context() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate = AUTHORITY.issue_cert("127.0.0.1")
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cadata=AUTHORITY.cert_pem.bytes().decode("ascii"))


@asynccontextmanager
async def serving(handler: Handler, scheme: str) -> AsyncGenerator[tuple[Origin, ConnectionPool], None]:
    """Serve on a free port; yield its origin and a pool that trusts it."""
    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        serve = partial(trio.serve_listeners, handler, [listener])
        if scheme == "https":
            tls = trio.SSLListener(listener, server_context(), https_compatible=True)
            serve = partial(trio.serve_listeners, handler, [tls])
        nursery.start_soon(serve)
        port = listener.socket.getsockname()[1]
        pool = ConnectionPool(connect=TcpConnector(ssl_context=client_context()))
        yield Origin(scheme, "127.0.0.1", port), pool
        pool.close()
        nursery.cancel_scope.cancel()


def beneath(stream: trio.abc.Stream) -> trio.SocketStream:
    """Return the TCP stream below TLS, if there is TLS."""
    raw = cast("object", stream.transport_stream) if isinstance(stream, trio.SSLStream) else stream  # pyright: ignore[reportUnknownMemberType]  # generic over any stream
    assert isinstance(raw, trio.SocketStream)
    return raw


async def echo(stream: trio.abc.Stream) -> None:
    """Respond to each request with its body."""
    unread = b""
    while data := await stream.receive_some(65536):
        unread += data
        head, found, body = unread.partition(b"\r\n\r\n")
        size = int(head.lower().rpartition(b"content-length:")[2]) if found else 0
        if found and len(body) >= size:
            await stream.send_all(response(body[:size]))
            unread = body[size:]


@pytest.mark.parametrize("size", [2, 70_000, 3_000_000])
async def test_bodies_of_any_size_travel_both_ways_on_one_connection(size: int, scheme: str) -> None:
    body = os.urandom(size)

    async with (
        serving(echo, scheme) as (origin, pool),
        open_pooled_sender(pool, origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30):
            responses = [await sender.send(body) for _ in range(3)]

        assert all(received.body == body for received in responses)
        assert (pool.statistics().opened, pool.statistics().reused) == (1, 2)


async def test_a_connection_that_the_server_closed_is_not_used_again(scheme: str) -> None:
    left = trio.Event()

    async def once(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(response(b"bye"))
        await stream.aclose()
        left.set()

    async with (
        serving(once, scheme) as (origin, pool),
        open_pooled_sender(pool, origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30):
            for _ in range(2):
                assert (await sender.send(b"{}")).body == b"bye"
                await left.wait()

        assert pool.statistics().opened == 2


async def test_a_reset_connection_is_lost(scheme: str) -> None:
    async def reset(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        raw = beneath(stream)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        raw.socket.close()

    async with (
        serving(reset, scheme) as (origin, pool),
        open_pooled_sender(pool, origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30), pytest.raises(ConnectionLost) as lost:
            await sender.send(b"{}")

    assert (lost.value.sent, lost.value.received, lost.value.reused) == (True, 0, False)


async def test_an_early_response_survives_the_reset_that_follows(scheme: str) -> None:
    async def refuse(stream: trio.abc.Stream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(response(b"no", status=b"413 Content Too Large"))
        await beneath(stream).aclose()

    async with (
        serving(refuse, scheme) as (origin, pool),
        open_pooled_sender(pool, origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30):
            received = await sender.send(b"x" * 10_000_000)

    assert (received.status, received.sent) == (413, False)


async def test_a_truncated_tls_connection_is_not_the_end_of_a_body() -> None:
    """Without a length, only close_notify distinguishes an end from a truncation (RFC 8446 section 6.1)."""

    async def cut(stream: trio.abc.Stream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(response(b"half of", framing=b""))
        await beneath(stream).aclose()

    async with (
        serving(cut, "https") as (origin, pool),
        open_pooled_sender(pool, origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30), pytest.raises(ConnectionLost):
            await sender.send(b"{}")


async def test_an_untrusted_certificate_is_rejected() -> None:
    async with (
        serving(echo, "https") as (origin, _),
        open_pooled_sender(ConnectionPool(), origin, "POST", "/", {}) as sender,
    ):
        with trio.fail_after(30), pytest.raises(ConnectFailed, match="certificate"):
            await sender.send(b"{}")


async def test_a_refused_connection_is_a_typed_error() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        origin = Origin("http", "127.0.0.1", reserved.getsockname()[1])
        async with open_pooled_sender(ConnectionPool(), origin, "POST", "/", {}) as sender:
            with trio.fail_after(30), pytest.raises(ConnectFailed):
                await sender.send(b"{}")


async def test_an_address_that_fails_is_looked_up_again() -> None:
    connect = TcpConnector()

    async def accept(port: int) -> int:
        (listener,) = await trio.open_tcp_listeners(port, host="127.0.0.1")
        async with listener:
            stream = await connect(Origin("http", "localhost", listener.socket.getsockname()[1]))
            stream.close()
            return listener.socket.getsockname()[1]

    with trio.fail_after(30):
        port = await accept(0)
        with pytest.raises(OSError, match="connect"):
            await connect(Origin("http", "localhost", port))
        await accept(port)


async def test_silent_connections_are_probed() -> None:
    """After a minute of silence there are five probes, one per minute."""
    async with serving(echo, "http") as (origin, _):
        stream = await TcpConnector()(origin)
        assert isinstance(stream, SocketStream)

        with stream._sock as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            for option, expected in ((socket.TCP_KEEPINTVL, 60), (socket.TCP_KEEPCNT, 5)):
                assert sock.getsockopt(socket.IPPROTO_TCP, option) == expected
