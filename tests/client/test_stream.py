"""Streams: events as typed values, on all backends (contract items 99, 102-105, and what is better)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import trio

from headrace_client import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    OverloadedError,
    RateLimitError,
)
from headrace_client._responses.response import APIResponse
from headrace_client._responses.stream import AsyncStream, IncompleteStreamError, Stream
from headrace_client.testing import Chunk, Reply, ScriptedAPI, reply, sse
from headrace_client.types import PingEvent, RawContentBlockDeltaEvent, RawMessageStreamEvent, UnknownEvent
from tests.client.backends import TRIO_ONLY, Backend, each, entered, settle

pytestmark = pytest.mark.anyio

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
START = ("message_start", {"type": "message_start", "message": MESSAGE})
PING = ("ping", {"type": "ping"})
BLOCK = ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
TEXT = ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}})
STOP = ("message_stop", {"type": "message_stop"})
WHOLE = (START, PING, BLOCK, TEXT, ("content_block_stop", {"index": 0}), STOP)
SSE = {"content-type": "text/event-stream", "request-id": "req_1"}


def body(*events: tuple[str, object]) -> bytes:
    return b"".join(piece for piece in sse(*events).chunks if isinstance(piece, bytes))


async def start(
    backend: Backend, *script: Reply, cast_to: Any = RawMessageStreamEvent
) -> tuple[Any, ScriptedAPI]:
    """Return the stream that the first answer of the script is."""
    client, api = backend.scripted(*script, max_retries=0)
    stream_cls: Any = AsyncStream if backend.is_async else Stream
    stream = client.post("/v1/x", cast_to=object, stream=True, stream_cls=stream_cls[cast_to])
    return await settle(stream), api


async def first(stream: Any) -> Any:
    """Return the next event, by no generator that would be left unfinished."""
    return await anext(stream) if hasattr(stream, "__anext__") else next(stream)


async def collect(events: Any, seen: list[str]) -> None:
    """Note the types of the events, also if they end with an error."""
    async for event in each(events):
        seen.append(event.type)  # noqa: PERF401  # an error must not lose those before it


async def test_events_are_typed_and_pings_are_not_among_them(backend: Backend) -> None:
    """Items 99, 102."""
    stream, api = await start(backend, sse(*WHOLE))

    events = [event async for event in each(stream)]

    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_stop",
    ]
    assert events[0].message.id == "msg_1"
    assert isinstance(events[2], RawContentBlockDeltaEvent)
    assert events[2].delta.text == "Hi"
    assert api.open_responses == 0


async def test_messages_create_gives_a_stream(backend: Backend) -> None:
    client, api = backend.scripted(sse(*WHOLE))

    call = client.messages.create(model="m", max_tokens=9, messages=[], stream=True)
    stream = await settle(call)

    assert isinstance(stream, AsyncStream if backend.is_async else Stream)
    assert [event.type async for event in each(stream)][-1] == "message_stop"
    assert b'"stream":true' in api.requests[0].content


async def test_pings_and_unknown_events_are_visible_as_liveness(backend: Backend) -> None:
    """Better than item 102: whoever waits for a slow answer can see that the server is alive."""
    stream, _ = await start(backend, sse(START, PING, ("news", {"x": 1}), STOP))

    events = [event async for event in each(stream.all_events())]

    assert [event.type for event in events] == ["message_start", "ping", "news", "message_stop"]
    assert isinstance(events[1], PingEvent)
    assert isinstance(events[2], UnknownEvent)
    assert events[2].x == 1


async def test_an_unknown_event_need_not_hold_json(backend: Backend) -> None:
    stream, _ = await start(
        backend, reply(body=b"event: ping\n\nevent: odd\ndata: {nope\n\n"), cast_to=object
    )

    events = [event async for event in each(stream.all_events())]

    assert events == [{"type": "ping"}, {"type": "odd", "data": "{nope"}]


async def test_a_missing_type_is_the_name_of_the_event(backend: Backend) -> None:
    """Item 102."""
    answer = sse(("completion", {"completion": "a"}), ("completion", {"type": "mine"}))
    stream, _ = await start(backend, answer, cast_to=dict)

    assert [event async for event in each(stream)] == [
        {"type": "completion", "completion": "a"},
        {"type": "mine"},
    ]


@pytest.mark.parametrize(
    ("kind", "status", "error_class"),
    [
        ("invalid_request_error", 400, BadRequestError),
        ("rate_limit_error", 429, RateLimitError),
        ("overloaded_error", 529, OverloadedError),
        ("brand_new_error", 200, APIStatusError),
    ],
)
async def test_an_error_event_raises_the_error_that_its_type_names(
    backend: Backend, kind: str, status: int, error_class: type[APIStatusError]
) -> None:
    """Better than item 103."""
    data = {"type": "error", "error": {"type": kind, "message": "no"}}
    stream, api = await start(backend, reply(body=body(START, ("error", data)), headers=SSE))

    with pytest.raises(error_class) as caught:
        _ = [event async for event in each(stream)]

    assert type(caught.value) is error_class
    assert (caught.value.status_code, caught.value.body, caught.value.request_id) == (status, data, "req_1")
    assert api.open_responses == 0


async def test_an_error_event_need_not_hold_json(backend: Backend) -> None:
    """Item 103."""
    stream, _ = await start(backend, reply(body=b"event: error\ndata: all is lost\n\n"))

    with pytest.raises(APIStatusError, match="all is lost") as caught:
        await first(stream)

    assert caught.value.body == "all is lost"


async def test_data_that_is_no_json_is_a_validation_error(backend: Backend) -> None:
    """Better than item 104: wrapped, the cause kept, the response closed."""
    stream, api = await start(backend, reply(body=b"event: message_start\ndata: {nope\n\n"))

    with pytest.raises(APIResponseValidationError) as caught:
        await first(stream)

    assert caught.value.body == "{nope"
    assert caught.value.__cause__ is not None
    assert api.open_responses == 0


async def test_data_that_does_not_fit_raises_in_strict_mode_only(backend: Backend) -> None:
    """Item 87."""
    answer = sse(("message_start", {"message": 5}), STOP)
    loose, _ = await start(backend, answer)
    client, _ = backend.scripted(answer, _strict_response_validation=True)
    strict = await settle(client.messages.create(model="m", max_tokens=9, messages=[], stream=True))

    assert (await first(loose)).message == 5
    with pytest.raises(APIResponseValidationError):
        await first(strict)


@pytest.mark.parametrize(
    "events", [(), (PING,), (START,), (START, BLOCK, TEXT)], ids=["none", "ping", "start", "text"]
)
async def test_an_end_before_message_stop_raises(
    backend: Backend, events: tuple[tuple[str, object], ...]
) -> None:
    """Better than item 105: half an answer must not pass for a whole one."""
    stream, api = await start(backend, sse(*events))

    with pytest.raises(IncompleteStreamError, match="ended before `message_stop`") as caught:
        _ = [event async for event in each(stream)]

    assert isinstance(caught.value, APIConnectionError)
    assert api.open_responses == 0


async def test_a_failure_in_the_middle_is_wrapped_and_its_cause_kept(backend: Backend) -> None:
    """Better than item 86."""
    failure = httpx.ReadError("reset by peer")
    pieces: list[Chunk] = [body(START), failure]
    stream, api = await start(backend, reply(body=pieces))

    seen: list[str] = []
    with pytest.raises(APIConnectionError) as caught:
        await collect(stream, seen)

    assert seen == ["message_start"]
    assert caught.value.__cause__ is failure
    assert api.open_responses == 0
    assert [event async for event in each(stream)] == []


async def test_a_timeout_in_the_middle_is_a_timeout_error(backend: Backend) -> None:
    """Items 83, 86."""
    stream, _ = await start(backend, reply(body=[body(START), httpx.ReadTimeout("silence")]))

    with pytest.raises(APITimeoutError):
        _ = [event async for event in each(stream)]


async def test_an_event_beyond_all_bounds_ends_the_stream(backend: Backend) -> None:
    stream, api = await start(backend, reply(body=[b"data: " + b"x" * 65536] * 17))

    with pytest.raises(APIConnectionError) as caught:
        await first(stream)

    assert "larger than 1048576 bytes" in str(caught.value.__cause__)
    assert api.open_responses == 0


async def test_leaving_a_loop_does_not_close_and_iterating_goes_on(backend: Backend) -> None:
    """Item 105."""
    stream, api = await start(backend, sse(*WHOLE))

    before = await first(stream)
    was_open = api.open_responses
    rest = [event.type async for event in each(stream)]

    assert (before.type, was_open) == ("message_start", 1)
    assert rest[0] == "content_block_start"


async def test_close_and_the_context_manager_close(backend: Backend) -> None:
    """Items 99, 105."""
    stream, api = await start(backend, sse(*WHOLE), sse(*WHOLE))
    await first(stream)
    await settle(stream.close())

    assert api.open_responses == 0
    assert [event async for event in each(stream)] == []

    stream, api = await start(backend, sse(*WHOLE))
    async with entered(stream):
        await first(stream)
    assert api.open_responses == 0


async def test_the_response_is_at_hand(backend: Backend) -> None:
    """Item 99."""
    stream, _ = await start(backend, reply(body=body(*WHOLE), headers=SSE))

    assert stream.response.headers["request-id"] == "req_1"
    await settle(stream.close())


async def test_a_stream_made_by_hand_gives_the_events_themselves(backend: Backend) -> None:
    """Items 99, 100: as `Stream(cast_to=..., client=..., response=...)`."""

    pieces = (b"event: ping\n", b'data: {"foo":true}\n\n', b'data: {"bar":false}\n\n')

    async def arriving() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece

    client, _ = backend.scripted()
    stream_cls: Any = AsyncStream if backend.is_async else Stream
    content: Any = arriving() if backend.is_async else iter(pieces)
    stream = stream_cls(cast_to=object, client=client, response=httpx.Response(200, content=content))

    events = [event async for event in each(stream._iter_events())]

    assert [(event.event, event.json()) for event in events] == [
        ("ping", {"foo": True}),
        (None, {"bar": False}),
    ]


@TRIO_ONLY
async def test_silence_beyond_the_idle_timeout_raises(backend: Backend) -> None:
    """A server that pings is alive; one that sends nothing is not. For blocking clients see the next test."""
    pieces = [body(START), 9.0, body(PING), 9.0, body(PING), 11.0, body(STOP)]
    stream, api = await start(backend, reply(body=pieces))

    seen: list[str] = []
    with pytest.raises(APITimeoutError):
        await collect(stream.limit(idle_timeout=10).all_events(), seen)

    assert seen == ["message_start", "ping", "ping"]
    assert api.open_responses == 0


def test_a_blocking_read_gets_the_idle_timeout_as_its_read_timeout() -> None:
    """httpx's transports look into the request's extensions when the body is first read."""
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
async def test_closing_takes_its_time_even_when_cancelled(backend: Backend) -> None:
    """The transport may have to wait to close a connection in good order."""
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


def test_a_stream_may_be_asked_for_of_another_type() -> None:
    """Item 97."""
    client: Any = type("Client", (), {"_strict_response_validation": False})
    answer = APIResponse[Any](
        raw=httpx.Response(200, content=b"foo"), client=client, cast_to=str, stream=True, options=None
    )

    class OfInts(Stream[int]):
        pass

    assert answer.parse(to=Stream[int])._cast_to is int
    assert answer.parse(to=OfInts)._cast_to is int
    with pytest.raises(TypeError, match="stream such as"):
        answer.parse(to=int)
    with pytest.raises(TypeError, match="to have a type argument"):
        answer.parse(to=Stream)
