"""The transport for httpx: streams in both directions, and the transport's errors as httpx's."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from headrace_client._httpx.transport import HttpxTransport
from headrace_client.transport import ByteStream, ConnectionPool, Origin, PoolLimits

from .scripted import Peer, Script, Server, always, response, serving

pytestmark = pytest.mark.trio
URL = "http://api.test/v1?a=b"


@attrs.frozen
class Setup:
    client: httpx.AsyncClient
    pool: ConnectionPool
    server: Server


@asynccontextmanager
async def setup(*scripts: Script, limits: PoolLimits | None = None) -> AsyncGenerator[Setup, None]:
    async with serving(*scripts) as server:
        pool = ConnectionPool(connect=server.connect, limits=limits)
        async with httpx.AsyncClient(transport=HttpxTransport(pool), timeout=5) as client:
            yield Setup(client, pool, server)


async def test_requests_are_sent_as_httpx_builds_them(autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(response(b'{"ok":true}', b"X-Two: 1", b"x-two: 2"))

    async with setup(script) as it:
        received = await it.client.post(URL, json={"a": 1}, headers={"accept-encoding": "gzip, br, zstd;q=1"})

    assert seen[0].startswith(b"POST /v1?a=b HTTP/1.1\r\n")
    assert b"accept-encoding: gzip\r\n" in seen[0].lower()
    assert seen[0].endswith(b'\r\n\r\n{"a":1}')
    assert (received.json(), received.headers["x-two"], received.reason_phrase) == (
        {"ok": True},
        "1, 2",
        "OK",
    )
    assert received.http_version == "HTTP/1.1"


async def test_connections_are_reused_once_the_body_was_read(autojump_clock: MockClock) -> None:
    async with setup(always(response(b"hi"))) as it:
        for _ in range(3):
            assert (await it.client.get(URL)).content == b"hi"

        assert (it.pool.statistics().opened, it.pool.statistics().idle) == (1, 1)


async def test_a_body_arrives_as_it_is_sent(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(framing=b"transfer-encoding: chunked"))
        for part in (b"one", b"two"):
            await trio.sleep(4)
            await peer.send(b"3\r\n%b\r\n" % part)
        await peer.send(b"0\r\nx-sum: 1\r\n\r\n")

    async with setup(script) as it, it.client.stream("GET", URL) as received:
        start = trio.current_time()
        seen = [(trio.current_time() - start, part) async for part in received.aiter_raw()]

    assert seen == [(4, b"one"), (8, b"two")]


async def test_a_body_that_was_not_read_closes_its_connection(autojump_clock: MockClock) -> None:
    async with setup(always(response(framing=b"content-length: 100000"), b"the beginning")) as it:
        async with it.client.stream("GET", URL) as received:
            assert received.status_code == 200

        assert (it.pool.statistics().idle, it.pool.statistics().in_use) == (0, 0)


async def test_a_body_is_uploaded_as_it_is_generated(autojump_clock: MockClock) -> None:
    received = b""

    async def script(peer: Peer) -> None:
        nonlocal received
        while not received.endswith(b"0\r\n\r\n"):
            received += await peer.stream.receive_some()
        await peer.send(response(b"thanks"))

    async def body() -> AsyncGenerator[bytes, None]:
        for part in (b"one", b"", b"two"):
            await trio.sleep(1)
            yield part

    async with setup(script) as it:
        assert (await it.client.post(URL, content=body())).content == b"thanks"
        assert it.pool.statistics().idle == 1

    assert received.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


async def test_an_early_error_ends_the_upload(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive_some()
        await peer.send(response(b"too large", status=b"413 Content Too Large"))
        await trio.sleep_forever()

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            await trio.sleep(1)
            yield b"x" * 10

    async with setup(script) as it:
        received = await it.client.post(URL, content=endless())

        assert (received.status_code, received.content) == (413, b"too large")
        assert it.pool.statistics().idle == 0


async def test_an_error_of_the_body_is_raised_as_it_is(autojump_clock: MockClock) -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise KeyError("mine")

    async with setup(always(response(b"hi"))) as it:
        with pytest.raises(KeyError, match="mine"):
            await it.client.post(URL, content=broken())

        assert it.pool.statistics().in_use == 0


async def test_head_and_a_body_until_the_end(autojump_clock: MockClock) -> None:
    async def until_close(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"all of it", framing=b""))
        peer.stream.close()

    async with setup(always(response(framing=b"content-length: 9")), until_close) as it:
        assert (await it.client.head(URL)).headers["content-length"] == "9"
        assert (await it.client.get(URL)).content == b"all of it"


async def test_compressed_bodies_are_left_to_httpx(autojump_clock: MockClock) -> None:
    coded = gzip.compress(b"hello " * 50_000, mtime=0)

    async with setup(always(response(coded, b"content-encoding: gzip"))) as it:
        assert (await it.client.get(URL)).content == b"hello " * 50_000


async def test_a_compressed_bomb_is_cut_off(autojump_clock: MockClock) -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, compresslevel=1, mtime=0)

    async with setup(always(response(bomb, b"content-encoding: gzip"))) as it:
        with pytest.raises(httpx.RemoteProtocolError, match="limit"):
            await it.client.get(URL)

        assert it.pool.statistics().in_use == 0


async def closes(peer: Peer) -> None:
    await peer.request()
    peer.stream.close()


async def silent(peer: Peer) -> None:
    await peer.wait_closed()


async def reads_nothing(peer: Peer) -> None:
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (closes, httpx.ReadError),
        (silent, httpx.ReadTimeout),
        (reads_nothing, httpx.WriteTimeout),
        (always(b"garbage\r\n"), httpx.RemoteProtocolError),
        (always(response(b"x", b"content-encoding: br")), httpx.RemoteProtocolError),
    ],
    ids=["closed", "silent", "reads nothing", "garbage", "unknown coding"],
)
async def test_failures_are_httpxs(
    script: Script, error: type[httpx.TransportError], autojump_clock: MockClock
) -> None:
    async with setup(script) as it:
        with pytest.raises(error) as failed:
            await it.client.post(URL, content=b"x" * (1_000_000 if error is httpx.WriteTimeout else 1))

        assert failed.value.request.url == URL
        assert it.pool.statistics().in_use == 0


async def test_failures_to_connect_are_httpxs(autojump_clock: MockClock) -> None:
    async def refuse(origin: Origin) -> ByteStream:
        raise ConnectionRefusedError

    async def never(origin: Origin) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError

    for connect, error in ((refuse, httpx.ConnectError), (never, httpx.ConnectTimeout)):
        transport = HttpxTransport(ConnectionPool(connect=connect))
        async with httpx.AsyncClient(transport=transport) as client:
            with pytest.raises(error):
                await client.get(URL)


async def test_no_free_connection_in_time_is_a_pool_timeout(autojump_clock: MockClock) -> None:
    async with setup(silent, limits=PoolLimits(max_connections=1)) as it:

        async def hold() -> None:
            with pytest.raises(httpx.ReadTimeout):
                await it.client.get(URL, timeout=httpx.Timeout(5, read=50))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(hold)
            await trio.sleep(1)
            with pytest.raises(httpx.PoolTimeout):
                await it.client.get(URL)


async def test_another_scheme_is_not_supported(autojump_clock: MockClock) -> None:
    async with setup(silent) as it:
        with pytest.raises(httpx.UnsupportedProtocol):
            await it.client.get("ftp://api.test/")


async def test_a_cancelled_request_closes_its_connection(autojump_clock: MockClock) -> None:
    async with setup(silent) as it:
        with trio.move_on_after(1):
            await it.client.get(URL)

        assert it.pool.statistics().in_use == 0
