"""Time limits and cancellation of streams."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio

from headrace_client import (
    APITimeoutError,
)
from headrace_client._responses.stream import AsyncStream, Stream
from headrace_client.testing import reply
from tests.client.backends import TRIO_ONLY, Backend, each
from tests.client.stream_events import PING, START, STOP, WHOLE, body, collect, start

pytestmark = pytest.mark.anyio


@TRIO_ONLY
async def test_silence_beyond_the_idle_timeout_raises(backend: Backend) -> None:
    """A server that pings is alive; one that sends nothing is not. For blocking clients see the next test."""
    chunks = [body(START), 9.0, body(PING), 9.0, body(PING), 11.0, body(STOP)]
    stream, api = await start(backend, reply(body=chunks))

    seen: list[str] = []
    with pytest.raises(APITimeoutError):
        await collect(stream.limit(idle_timeout=10).all_events(), seen)

    assert seen == ["message_start", "ping", "ping"]
    assert api.open_responses == 0


def test_a_blocking_read_gets_the_idle_timeout_as_its_read_timeout() -> None:
    """httpx's transports look at the request's extensions when the body is first read."""
    request = httpx.Request("GET", "http://x", extensions={"timeout": {"read": 600.0}})
    seen: list[object] = []

    class Body(httpx.SyncByteStream):
        def __iter__(self) -> Any:
            seen.append(dict(request.extensions["timeout"]))
            yield body(*WHOLE)

    response = httpx.Response(200, stream=Body(), request=request)
    client: Any = type("Client", (), {"_strict_response_validation": False})
    stream = Stream[Any](cast_to=object, client=client, response=response)

    assert len(list(stream.limit(idle_timeout=7))) == 5
    assert seen == [{"read": 7}]


@pytest.mark.parametrize("backend", ["sync", "trio"], indirect=True)
async def test_a_stream_beyond_its_total_timeout_raises(backend: Backend) -> None:
    """Pings keep a stream alive, but not forever."""
    chunks = [body(START), 5.0, body(PING), 5.0, body(PING), 5.0, b": still here\n", body(STOP)]
    stream, api = await start(backend, reply(body=chunks))

    seen: list[str] = []
    with pytest.raises(APITimeoutError):
        await collect(stream.limit(total_timeout=12).all_events(), seen)

    assert seen == ["message_start", "ping", "ping"]
    assert api.open_responses == 0


@TRIO_ONLY
async def test_cancelling_closes_the_response(backend: Backend) -> None:
    stream, api = await start(backend, reply(body=[body(START), 1000.0]))

    with trio.move_on_after(5) as scope:
        _ = [event async for event in each(stream)]

    assert scope.cancelled_caught
    assert api.open_responses == 0


@TRIO_ONLY
async def test_closing_is_not_cut_short_by_cancellation(backend: Backend) -> None:
    """The transport may have to wait in order to close a connection properly."""
    closed: list[str] = []

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            yield body(START)
            await trio.sleep(1000)

        async def aclose(self) -> None:
            await trio.sleep(1)
            closed.append("closed")

    client, _ = backend.scripted()
    response = httpx.Response(200, stream=Body())
    stream = AsyncStream[Any](cast_to=object, client=client, response=response)

    with trio.move_on_after(5):
        _ = [event async for event in each(stream)]

    assert closed == ["closed"]
