"""The sender over a user's httpx client, on trio and asyncio."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

import anyio
import httpx
import pytest
import trio.testing
from sniffio import current_async_library

from headrace_client._httpx.sender import open_httpx_sender
from headrace_client.transport import (
    AttemptTimedOut,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    ReadLimits,
    ResponseTooLarge,
)

pytestmark = pytest.mark.anyio
URL = "http://api.test/v1"
Handler = Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]
LOOPS: list[tuple[str, dict[str, Any]]] = [
    ("trio", {"clock": trio.testing.MockClock(autojump_threshold=0)}),
    ("asyncio", {}),
]


@pytest.fixture(params=LOOPS, ids=["trio", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    return request.param


def client(handler: Handler) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.MockTransport(handler), follow_redirects=True)


async def test_an_attempt_goes_through_the_client(anyio_backend_name: str) -> None:
    seen: list[httpx.Request] = []
    parts: list[bytes] = []

    async def handler(request: httpx.Request) -> httpx.Response:
        assert current_async_library() == anyio_backend_name
        seen.append(request)
        return httpx.Response(200, headers={"request-id": "req_1"}, content=b"hi")

    async with client(handler) as http, open_httpx_sender(http, "POST", URL, {"X-Key": "k"}) as sender:
        received = await sender.send(b"{}", retries_taken=2, on_data=parts.append)

    assert (received.status, received.body, received.request_id) == (200, b"hi", "req_1")
    assert received.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert parts == [b"hi"]
    assert seen[0].content == b"{}"
    headers = seen[0].headers
    assert (headers["x-key"], headers["x-stainless-retry-count"]) == ("k", "2")
    assert headers["accept-encoding"] == "identity"


async def test_a_redirect_is_a_response() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(308, headers={"location": "http://elsewhere.test/"})

    async with client(handler) as http, open_httpx_sender(http, "POST", URL, {}) as sender:
        assert (await sender.send(b"{}")).status == 308


async def test_the_deadline_holds_while_data_arrives() -> None:
    async def drips() -> AsyncGenerator[bytes, None]:
        while True:
            await anyio.sleep(0.01)
            yield b"x"

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=drips())

    async with client(handler) as http, open_httpx_sender(http, "POST", URL, {}) as sender:
        with pytest.raises(AttemptTimedOut) as late:
            await sender.send(b"{}", deadline=anyio.current_time() + 0.05)
        assert late.value.sent
        with pytest.raises(AttemptTimedOut):
            await sender.send(b"{}", deadline=anyio.current_time())


async def test_a_decoded_body_is_bounded() -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x" * 11)

    async with (
        client(handler) as http,
        open_httpx_sender(http, "POST", URL, {}, limits=ReadLimits(body=10)) as sender,
    ):
        with pytest.raises(ResponseTooLarge):
            await sender.send(b"{}")


@pytest.mark.parametrize("after", ["open", "lost"])
async def test_once_on_data_needs_no_more_the_response_is_complete(
    after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headrace_client._httpx.lingering.LINGER", 0.01)  # on asyncio, time is real

    async def body() -> AsyncGenerator[bytes, None]:
        yield b"hello"
        if after == "lost":
            raise httpx.ReadError("reset")
        await anyio.sleep(60)

    async def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=body())

    async with client(handler) as http, open_httpx_sender(http, "POST", URL, {}) as sender:
        received = await sender.send(b"{}", on_data=lambda data: data == b"hello")

    assert (received.status, received.body) == (200, b"hello")


@pytest.mark.parametrize(
    ("raised", "expected", "sent"),
    [
        (httpx.ConnectError("x"), ConnectFailed, False),
        (httpx.ConnectTimeout("x"), ConnectFailed, False),
        (httpx.PoolTimeout("x"), ConnectFailed, False),
        (httpx.ProxyError("x"), ConnectFailed, False),
        (httpx.ReadTimeout("x"), AttemptTimedOut, True),
        (httpx.ReadError("x"), ConnectionLost, True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), ConnectionLost, True),
        (httpx.RemoteProtocolError("illegal header line"), ProtocolViolation, True),
        (httpx.LocalProtocolError("x"), ProtocolViolation, False),
        (httpx.DecodingError("x"), ProtocolViolation, True),
        (ZeroDivisionError("a bug is a bug"), ZeroDivisionError, None),
    ],
    ids=lambda value: f"{value!r:.60}",
)
async def test_errors_of_httpx_become_the_transports(
    raised: Exception, expected: type[Exception], sent: bool | None
) -> None:
    async def handler(request: httpx.Request) -> httpx.Response:
        raise raised

    async with client(handler) as http, open_httpx_sender(http, "POST", URL, {}) as sender:
        with pytest.raises(expected) as failed:
            await sender.send(b"{}")

    assert getattr(failed.value, "sent", None) is sent


async def test_headers_with_line_breaks_are_rejected() -> None:
    async with httpx.AsyncClient() as http:
        with pytest.raises(ValueError, match="header"):
            async with open_httpx_sender(http, "POST", URL, {"x-a": "b\r\nx-evil: 1"}):
                pass
