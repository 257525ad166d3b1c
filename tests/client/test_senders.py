"""The client over headrace's transport, in memory and in virtual time: senders, and whole requests."""

from __future__ import annotations

import io
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import httpx
import pytest
import trio

from headrace_client import APIConnectionError, AsyncAnthropic, AsyncAPIClient, omit
from headrace_client._requests.options import RequestOptions
from headrace_client.testing import ScriptedAPI, reply
from headrace_client.transport import AttemptTimedOut, ConnectionPool
from tests.client.backends import TRIO_ONLY
from tests.transport.scripted import Peer, Server, always, response, serving

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.usefixtures("backend"),
    TRIO_ONLY,
]

Script = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def client_of(*scripts: Script, **settings: Any) -> AsyncGenerator[tuple[AsyncAPIClient, Server], None]:
    """A client of an arbitrary API, connected to the scripts."""
    async with serving(*scripts) as server:
        pool = ConnectionPool(connect=server.connect)
        settings = {"version": "7", "base_url": "http://api.test/v1?key=1", **settings}
        async with AsyncAPIClient(pool=pool, **settings) as client:
            yield client, server


def recording(requests: list[bytes], *answers: bytes) -> Script:
    async def script(peer: Peer) -> None:
        for answer in answers:
            requests.append(await peer.request())
            await peer.send(answer)

    return script


async def test_a_sender_uses_the_clients_url_and_headers() -> None:
    requests: list[bytes] = []
    script = recording(requests, response(b"hi"))
    settings: Any = {"custom_headers": {"Authorization": "Bearer k", "X-A": "1"}, "custom_query": {"q": 2}}

    async with client_of(script, **settings) as (client, _):
        headers = {"x-a": "mine", "X-Stainless-Lang": omit}
        async with client.open_sender("POST", "/chat?b=c d", headers) as sender:
            answer = await sender.send(b"{}", retries_taken=1)

    assert answer.body == b"hi"
    head = requests[0].decode().lower()
    assert head.startswith("post /v1/chat?key=1&b=c%20d&q=2 http/1.1\r\nhost: api.test\r\n")
    for line in ("authorization: bearer k", "x-a: mine", "user-agent: asyncapiclient/python 7"):
        assert f"\r\n{line}\r\n" in head
    for line in ("x-stainless-retry-count: 1", "content-length: 2", "content-type: application/json"):
        assert head.count(f"\r\n{line}\r\n") == 1
    assert "anthropic" not in head
    assert "x-stainless-lang" not in head


async def test_a_sender_to_another_origin_gets_no_credentials() -> None:
    requests: list[bytes] = []
    script = recording(requests, response(b"hi"))

    async with (
        client_of(script, custom_headers={"Authorization": "Bearer k"}) as (client, _),
        client.open_sender("POST", "http://other.test/x") as sender,
    ):
        await sender.send(b"")

    assert b"host: other.test" in requests[0].lower()
    assert b"authorization" not in requests[0].lower()


async def test_the_idle_timeout_reaches_the_sender() -> None:
    async with (
        client_of(always(b"")) as (client, _),
        client.open_sender("POST", "/x", idle_timeout=3) as sender,
    ):
        start = trio.current_time()
        with pytest.raises(AttemptTimedOut):
            await sender.send(b"")

        assert trio.current_time() == start + 3


async def test_a_sender_needs_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    async with AsyncAnthropic() as client:
        with pytest.raises(TypeError, match="Could not resolve authentication method"):
            client.open_sender("POST", "/v1/messages")


async def test_a_sender_through_the_http_client_of_the_caller() -> None:
    api = ScriptedAPI([reply(json={"a": 1})])
    async with (
        AsyncAnthropic(api_key="k", http_client=api.async_http_client()) as client,
        client.open_sender("POST", "/v1/messages") as sender,
    ):
        answer = await sender.send(b"{}")

    assert answer.body == b'{"a":1}'
    assert api.requests[0].url == "https://api.anthropic.com/v1/messages"
    assert api.requests[0].headers["x-api-key"] == "k"


async def test_requests_use_the_pool_too() -> None:
    requests: list[bytes] = []
    script = recording(
        requests, response(b"", status=b"503 Busy"), response(b'{"a":1}', b"content-type: application/json")
    )

    async with client_of(script) as (client, server):
        answer = await client.post("/chat", cast_to=httpx.Response, body={})

    assert answer.json() == {"a": 1}
    assert len(requests) == 2
    assert len(server.connections) == 1, (
        "the failed answer was read, so its connection was free for the retry"
    )


async def test_a_stale_connection_is_replaced_silently() -> None:
    """A server may close while the request is on its way. This does not use up a retry."""
    answer = response(b"{}", b"content-type: application/json")
    again: list[bytes] = []

    async def closes_on_the_second(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer)
        await peer.request()
        peer.stream.close()

    async with client_of(closes_on_the_second, recording(again, answer), max_retries=0) as (client, server):
        start = trio.current_time()
        for _ in range(2):
            await client.post("/chat", cast_to=httpx.Response, body={})

    assert len(server.connections) == 2
    assert b"x-stainless-retry-count: 0" in again[0].lower()
    assert trio.current_time() == start


def then_closing(answers: int, requests: list[bytes], seconds: float = 0) -> Script:
    """Return a script that sends a number of responses, each after some seconds, and then closes."""

    async def script(peer: Peer) -> None:
        for _ in range(answers):
            requests.append(await peer.request())
            await trio.sleep(seconds)
            await peer.send(response(b"{}"))
        requests.append(await peer.request())
        peer.stream.close()

    return script


def no_fast_path(_: AsyncAPIClient) -> None:
    """Replaces `AsyncAPIClient._fast_path`, so that requests go through httpx."""


async def open_connections(client: AsyncAPIClient, number: int) -> None:
    async with trio.open_nursery() as nursery:
        for _ in range(number):
            nursery.start_soon(partial(client.post, "/chat", cast_to=httpx.Response, body={}))


@pytest.mark.parametrize("direct", [True, False])
async def test_the_second_attempt_never_uses_another_idle_connection(
    direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RFC 9110 section 9.2.2: once, on a new connection, whose failure counts."""
    requests: list[bytes] = []
    if not direct:
        monkeypatch.setattr(AsyncAPIClient, "_fast_path", no_fast_path)

    async def silent_after_one(peer: Peer) -> None:
        requests.append(await peer.request())
        await trio.sleep(1)
        await peer.send(response(b"{}"))

    newest = then_closing(1, requests, seconds=2)
    scripts = (silent_after_one, silent_after_one, newest, then_closing(0, requests))
    async with client_of(*scripts, max_retries=0) as (client, server):
        await open_connections(client, 3)
        with pytest.raises(APIConnectionError):
            await client.post("/chat", cast_to=httpx.Response, body={})

    assert len(server.connections) == 4
    assert len(requests) == 3 + 2


async def test_a_later_retry_uses_idle_connections_again() -> None:
    requests: list[bytes] = []
    busy = recording(requests, response(b"", status=b"503 Busy"), response(b"{}"))

    async with client_of(then_closing(1, requests), busy) as (client, server):
        await open_connections(client, 1)
        await client.post("/chat", cast_to=httpx.Response, body={})

    assert len(server.connections) == 2
    assert [b"retry-count: 1" in request for request in requests] == [False, False, False, True]


async def test_a_file_is_read_again_for_the_second_attempt() -> None:
    requests: list[bytes] = []
    async with client_of(then_closing(1, requests), recording(requests, response(b"{}"))) as (client, _):
        await open_connections(client, 1)
        options: RequestOptions = {"headers": {"content-length": "9"}}
        content = io.BytesIO(b"all of it")
        await client.post("/chat", cast_to=httpx.Response, content=content, options=options)

    assert [b"all of it" in request for request in requests] == [False, True, True]


async def test_a_body_that_can_be_read_once_gets_no_second_attempt() -> None:
    async def chunks() -> AsyncGenerator[bytes]:
        yield b"all of it"

    requests: list[bytes] = []
    async with client_of(then_closing(1, requests)) as (client, server):
        await open_connections(client, 1)
        with pytest.raises(APIConnectionError):
            await client.post("/chat", cast_to=httpx.Response, content=chunks())

    assert len(server.connections) == 1


async def test_closing_the_client_closes_the_pool() -> None:
    async with client_of(always(response(b"hi"))) as (client, server):
        async with client.open_sender("POST", "/x") as sender:
            await sender.send(b"")
        await client.close()
        await server.connections[0].wait_closed()

        assert client.is_closed()


async def test_cancelling_a_request_leaves_no_connection_behind() -> None:
    async with client_of(always(b"")) as (client, server):
        with trio.move_on_after(1) as scope:
            await client.post("/chat", cast_to=httpx.Response, body={})
        await server.connections[0].wait_closed()

    assert scope.cancelled_caught
