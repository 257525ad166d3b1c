"""An ASGI application on one byte stream, whatever the client and the application do."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from headrace.simulator import serve_connection
from headrace.simulator._asgi import Message, Receive, Scope, Send
from headrace_client.transport.memory_stream import memory_stream_pair
from headrace_client.transport.stream import ByteStream

from ._client import Client, open_client, request, steady

pytestmark = pytest.mark.trio


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Respond with the path and the body, in three chunks and without a content-length."""
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for chunk in (scope["path"].encode(), b" ", body):
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body"})


async def exchange(stream: ByteStream, sent: bytes) -> bytes:
    """Send raw bytes and return everything that is received until the server closes."""
    await stream.send_all(sent)
    received = b""
    while data := await stream.receive_some():
        received += data
    return received


async def test_a_connection_serves_one_request_after_the_other(autojump_clock: MockClock) -> None:
    async with open_client(echo) as client:
        answers = [await client.post(f"/{index}", b"x" * index * 50_000) for index in range(4)]

    assert [answer.body for answer in answers] == [
        b"/%d " % index + b"x" * index * 50_000 for index in range(4)
    ]


async def test_chunked_bodies_and_pipelined_requests_are_read(autojump_clock: MockClock) -> None:
    chunked = (
        b"POST /a HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    closing = b"POST /b%20c?d=e HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\nconnection: close\r\n\r\nf"
    client, server = memory_stream_pair()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, echo, server)
        received = await exchange(client, chunked + closing)

    assert received.count(b"HTTP/1.1 200") == 2
    assert b"abcde" in received
    assert b"/b c" in received


async def test_expect_continue_is_honored(autojump_clock: MockClock) -> None:
    client, server = memory_stream_pair()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, echo, server)
        await client.send_all(
            b"POST / HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n"
        )
        assert await client.receive_some() == b"HTTP/1.1 100 \r\n\r\n"
        await client.send_all(b"hi")
        assert b"200" in await client.receive_some()
        client.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_invalid_http_gets_a_400_and_a_closed_connection(
    nonsense: bytes, autojump_clock: MockClock
) -> None:
    client, server = memory_stream_pair()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, echo, server)
        received = await exchange(client, nonsense)

    assert received.startswith(b"HTTP/1.1 400")


async def test_a_failing_application_is_a_500(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async def broken(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("a bug")

    with caplog.at_level(logging.ERROR):
        async with open_client(broken) as client:
            answer = await client.get("/")

    assert (answer.status, answer.complete) == (500, True)
    assert "a bug" in caplog.text


async def test_an_application_that_fails_half_way_truncates_its_response(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    async def half(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("a bug")

    async with open_client(half) as client:
        answer = await client.get("/")

    assert (answer.status, answer.body, answer.complete) == (200, b"half", False)


async def test_a_response_before_the_request_was_read_closes_the_connection(
    autojump_clock: MockClock,
) -> None:
    async def hasty(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body"})

    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, hasty, server)
        received = await exchange(client, b"POST / HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\npart")

    assert received.startswith(b"HTTP/1.1 413")


async def test_the_application_is_notified_when_the_client_disconnects(autojump_clock: MockClock) -> None:
    seen: list[Message] = []

    async def waiting(_scope: Scope, receive: Receive, _send: Send) -> None:
        seen.extend([await receive(), await receive(), await receive()])

    client, server = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, waiting, server)
        await client.send_all(b"GET / HTTP/1.1\r\nhost: t\r\n\r\n")
        await trio.sleep(5)
        client.close()

    assert [message["type"] for message in seen] == ["http.request", "http.disconnect", "http.disconnect"]


async def test_a_stream_stops_when_its_reader_disconnects_and_is_logged_as_unfinished(
    autojump_clock: MockClock,
) -> None:
    app = steady(output_tokens=(1_000, 1_000))
    client, server = memory_stream_pair()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, app, server)
        with trio.move_on_after(1.25):
            await Client(client).post("/v1/messages", request(stream=True, max_tokens=1_000))
        client.close()

    record = app.log.records[0]
    assert trio.current_time() == pytest.approx(1.3)
    assert (record.status, record.finished, record.output_tokens) == (200, False, 80)
    assert app.service.in_flight == 0


async def test_a_disconnect_during_the_request_body_is_not_an_error(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    app: Any = steady()
    client, server = memory_stream_pair()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, app, server)
        await client.send_all(b"POST /v1/messages HTTP/1.1\r\nhost: t\r\ncontent-length: 9\r\n\r\npart")
        await trio.sleep(1)
        client.close()

    assert (app.log.records, caplog.records) == ([], [])
