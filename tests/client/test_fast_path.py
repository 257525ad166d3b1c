"""The fast path on trio: which requests take it."""

from __future__ import annotations

import logging
import pickle
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import trio
from trio.testing import MockClock

from headrace_client import APIConnectionError, AsyncAPIClient, AsyncStream
from headrace_client.transport import ConnectionPool
from headrace_client.types import Message
from tests.client.local_api import MESSAGE
from tests.transport.scripted import Peer, Script, always, response, serving

pytestmark = pytest.mark.trio

BASE_URL = "http://api.test/v1"
JSON = b"content-type: application/json"
ANSWER = httpx.Response(200, json=MESSAGE).content
MESSAGE_REPLY = response(ANSWER, JSON, b"request-id: req_1")


@asynccontextmanager
async def client_of(
    *scripts: Script, client: type[AsyncAPIClient] = AsyncAPIClient, **settings: Any
) -> AsyncGenerator[Any]:
    async with serving(*scripts) as server:
        pool = ConnectionPool(connect=server.connect)
        settings = {"version": "7", "base_url": BASE_URL, **settings}
        async with client(pool=pool, **settings) as client_:
            yield client_


async def test_plain_requests_take_the_fast_path(
    sent_by_httpx: list[httpx.Request], autojump_clock: MockClock
) -> None:
    async with client_of(always(MESSAGE_REPLY)) as client:
        message = await client.post("/messages", cast_to=Message, body={"a": 1})
        again = await client.get("/messages", cast_to=Message)

    assert (message.content[0].text, message._request_id) == ("One, two, three.", "req_1")
    assert again == message
    assert sent_by_httpx == []


async def chunks() -> AsyncIterator[bytes]:
    yield b"{}"


@pytest.mark.parametrize(
    "call",
    [
        {"stream": True, "stream_cls": AsyncStream[object]},
        {"files": {"a": b"b"}},
        {"content": chunks()},
        {"content": "text"},
        {"content": b"{}", "options": {"headers": {"Content-Length": "2"}}},
    ],
    ids=["stream", "form", "iterated", "text", "framing"],
)
async def test_other_requests_go_through_httpx(
    call: dict[str, Any], sent_by_httpx: list[httpx.Request], autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.stream.receive_some()
        await peer.send(MESSAGE_REPLY)

    async with client_of(script) as client:
        await client.post("/messages", cast_to=Message, **call)

    assert len(sent_by_httpx) == 1


async def hook(_: object) -> None:
    pass


def add_hook(http_client: Any) -> None:
    http_client.event_hooks = {"request": [hook]}


def set_auth(http_client: Any) -> None:
    http_client.auth = ("user", "secret")


def set_header(http_client: Any) -> None:
    http_client.headers["x-mine"] = "1"


def set_query(http_client: Any) -> None:
    http_client.params = {"mine": "1"}


def set_transport(http_client: Any) -> None:
    http_client._transport = httpx.MockTransport(lambda _: httpx.Response(200, json=MESSAGE))


@pytest.mark.parametrize("change", [add_hook, set_auth, set_header, set_query, set_transport])
async def test_a_changed_http_client_is_used(
    change: Any, sent_by_httpx: list[httpx.Request], autojump_clock: MockClock
) -> None:
    async with client_of(always(MESSAGE_REPLY)) as client:
        change(client._client)
        await client.get("/messages", cast_to=Message)

    assert len(sent_by_httpx) == 1


async def test_a_proxy_of_the_environment_is_used(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with AsyncAPIClient(version="7", base_url=BASE_URL) as client:
        assert client._fast_path() is not None

    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
    async with AsyncAPIClient(version="7", base_url=BASE_URL) as client:
        assert client._fast_path() is None


class Hooked(AsyncAPIClient):
    async def _prepare_request(self, request: httpx.Request) -> None:
        request.headers["x-hook"] = "1"


class Builder(AsyncAPIClient):
    def _build_request(self, options: Any, *, retries_taken: int = 0) -> httpx.Request:
        return super()._build_request(options.replace(url="/elsewhere"), retries_taken=retries_taken)


class Authenticated(AsyncAPIClient):
    @property
    def custom_auth(self) -> httpx.Auth:
        return httpx.BasicAuth("user", "secret")


@pytest.mark.parametrize("kind", [Hooked, Builder, Authenticated])
async def test_a_subclass_with_hooks_sees_requests(
    kind: type[AsyncAPIClient], sent_by_httpx: list[httpx.Request], autojump_clock: MockClock
) -> None:
    async with client_of(always(MESSAGE_REPLY), client=kind) as client:
        await client.get("/messages", cast_to=Message)

    assert len(sent_by_httpx) == 1


async def test_a_hook_of_a_single_client_sees_requests(
    sent_by_httpx: list[httpx.Request], monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with client_of(always(MESSAGE_REPLY)) as client:
        monkeypatch.setattr(client, "_prepare_request", hook)
        await client.get("/messages", cast_to=Message)

    assert len(sent_by_httpx) == 1


async def test_credentials_in_the_url_are_left_to_httpx(
    sent_by_httpx: list[httpx.Request], autojump_clock: MockClock
) -> None:
    async with client_of(always(MESSAGE_REPLY), base_url="http://user:secret@api.test/v1") as client:
        await client.get("/messages", cast_to=Message)

    assert sent_by_httpx[0].headers["authorization"].startswith("Basic ")


async def test_a_url_without_http_is_rejected(autojump_clock: MockClock) -> None:
    async with client_of(always(MESSAGE_REPLY), base_url="api.test/v1", max_retries=0) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.get("/messages", cast_to=Message)

    assert isinstance(caught.value.__cause__, httpx.UnsupportedProtocol)


async def test_httpxs_log_is_still_written(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    caplog.set_level(logging.INFO, logger="httpx")

    async with client_of(always(MESSAGE_REPLY)) as client:
        await client.get("/messages", cast_to=Message)

    assert 'HTTP Request: GET http://api.test/v1/messages "HTTP/1.1 200 OK"' in caplog.text


async def test_a_closed_client_rejects_requests(autojump_clock: MockClock) -> None:
    async with client_of(always(MESSAGE_REPLY)) as client:
        await client.get("/messages", cast_to=Message)
    with pytest.raises(RuntimeError, match="has been closed"):
        await client.get("/messages", cast_to=Message)


async def test_a_cookie_is_sent_back(caplog: pytest.LogCaptureFixture, autojump_clock: MockClock) -> None:
    caplog.set_level(logging.WARNING, logger="headrace_client")  # writing the log would look at requests
    seen: list[bytes] = []

    async def script(peer: Peer) -> None:
        for headers in ((), (b"set-cookie: a=b; path=/v1",), (), ()):
            seen.append(await peer.request())
            await peer.send(response(ANSWER, JSON, *headers))

    async with client_of(script) as client:
        raw = {"headers": {"X-Stainless-Raw-Response": "true"}}
        before = await client.get("/messages", cast_to=Message, options=raw)
        await client.get("/messages", cast_to=Message)
        after = await client.get("/messages", cast_to=Message, options=raw)
        assert "cookie" not in before.http_request.headers
        client._client.cookies.clear()
        await client.get("/messages", cast_to=Message)

        assert [b"\r\ncookie: a=b\r\n" in request.lower() for request in seen] == [False, False, True, False]
        assert after.http_request.headers["cookie"] == "a=b"


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.wait_closed()


async def test_a_cancelled_request_closes_its_connection(autojump_clock: MockClock) -> None:
    async with client_of(silent) as client:
        with trio.move_on_after(5):
            await client.get("/messages", cast_to=Message)

        assert client._pool.statistics().in_use == 0
        assert trio.current_time() < 10


async def test_a_response_can_be_pickled_and_copied(autojump_clock: MockClock) -> None:
    async with client_of(always(MESSAGE_REPLY)) as client:
        raw = {"headers": {"X-Stainless-Raw-Response": "true"}}
        answer = (await client.get("/messages", cast_to=Message, options=raw)).http_response
        copy: httpx.Response = pickle.loads(pickle.dumps(answer))

    assert (copy.status_code, copy.content, copy.headers) == (200, ANSWER, answer.headers)
    assert not hasattr(answer, "unknown")
