"""Streams: events as typed values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

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
from headrace_client.testing import Chunk, reply, sse
from headrace_client.types import PingEvent, RawContentBlockDeltaEvent, UnknownEvent
from tests.client.backends import Backend, each, entered, settle
from tests.client.stream_events import BLOCK, PING, SSE, START, STOP, TEXT, WHOLE, body, collect, first, start

pytestmark = pytest.mark.anyio


async def test_events_are_typed_and_pings_are_skipped(backend: Backend) -> None:
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


async def test_all_events_includes_pings_and_unknown_events(backend: Backend) -> None:
    """Unlike the reference SDK: a caller can see that a slow server is alive."""
    stream, _ = await start(backend, sse(START, PING, ("news", {"x": 1}), STOP))

    events = [event async for event in each(stream.all_events())]

    assert [event.type for event in events] == ["message_start", "ping", "news", "message_stop"]
    assert isinstance(events[1], PingEvent)
    assert isinstance(events[2], UnknownEvent)
    assert events[2].x == 1


async def test_the_data_of_an_unknown_event_may_not_be_json(backend: Backend) -> None:
    stream, _ = await start(
        backend, reply(body=b"event: ping\n\nevent: odd\ndata: {nope\n\n"), cast_to=object
    )

    events = [event async for event in each(stream.all_events())]

    assert events == [{"type": "ping"}, {"type": "odd", "data": "{nope"}]


async def test_a_missing_type_is_the_name_of_the_event(backend: Backend) -> None:
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
async def test_an_error_event_raises_the_error_of_its_type(
    backend: Backend, kind: str, status: int, error_class: type[APIStatusError]
) -> None:
    """Unlike the reference SDK."""
    data = {"type": "error", "error": {"type": kind, "message": "no"}}
    stream, api = await start(backend, reply(body=body(START, ("error", data)), headers=SSE))

    with pytest.raises(error_class) as caught:
        _ = [event async for event in each(stream)]

    assert type(caught.value) is error_class
    assert (caught.value.status_code, caught.value.body, caught.value.request_id) == (status, data, "req_1")
    assert api.open_responses == 0


async def test_the_data_of_an_error_event_may_not_be_json(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=b"event: error\ndata: all is lost\n\n"))

    with pytest.raises(APIStatusError, match="all is lost") as caught:
        await first(stream)

    assert caught.value.body == "all is lost"


async def test_data_that_is_not_json_is_a_validation_error(backend: Backend) -> None:
    """Unlike the reference SDK: the cause is kept and the response closed."""
    stream, api = await start(backend, reply(body=b"event: message_start\ndata: {nope\n\n"))

    with pytest.raises(APIResponseValidationError) as caught:
        await first(stream)

    assert caught.value.body == "{nope"
    assert caught.value.__cause__ is not None
    assert api.open_responses == 0


async def test_data_that_does_not_fit_raises_in_strict_mode_only(backend: Backend) -> None:
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
    """Unlike the reference SDK: an incomplete message must not look complete."""
    stream, api = await start(backend, sse(*events))

    with pytest.raises(IncompleteStreamError, match="ended before `message_stop`") as caught:
        _ = [event async for event in each(stream)]

    assert isinstance(caught.value, APIConnectionError)
    assert api.open_responses == 0


async def test_a_failure_in_the_middle_is_wrapped_and_its_cause_kept(backend: Backend) -> None:
    """Unlike the reference SDK."""
    failure = httpx.ReadError("reset by peer")
    chunks: list[Chunk] = [body(START), failure]
    stream, api = await start(backend, reply(body=chunks))

    seen: list[str] = []
    with pytest.raises(APIConnectionError) as caught:
        await collect(stream, seen)

    assert seen == ["message_start"]
    assert caught.value.__cause__ is failure
    assert api.open_responses == 0
    with pytest.raises(IncompleteStreamError):
        _ = [event async for event in each(stream)]


async def test_a_timeout_in_the_middle_is_a_timeout_error(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=[body(START), httpx.ReadTimeout("silence")]))

    with pytest.raises(APITimeoutError):
        _ = [event async for event in each(stream)]


async def test_a_too_large_event_ends_the_stream(backend: Backend) -> None:
    stream, api = await start(backend, reply(body=[b"data: " + b"x" * (1 << 20)] * 65))

    with pytest.raises(APIConnectionError) as caught:
        await first(stream)

    assert "larger than 67108864 bytes" in str(caught.value.__cause__)
    assert api.open_responses == 0


async def test_leaving_a_loop_does_not_close_and_iterating_resumes(backend: Backend) -> None:
    stream, api = await start(backend, sse(*WHOLE))

    before = await first(stream)
    was_open = api.open_responses
    rest = [event.type async for event in each(stream)]

    assert (before.type, was_open) == ("message_start", 1)
    assert rest[0] == "content_block_start"


async def test_close_and_the_context_manager_close(backend: Backend) -> None:
    stream, api = await start(backend, sse(*WHOLE), sse(*WHOLE))
    await first(stream)
    await settle(stream.close())

    assert api.open_responses == 0
    with pytest.raises(IncompleteStreamError):
        _ = [event async for event in each(stream)]

    stream, api = await start(backend, sse(*WHOLE))
    async with entered(stream):
        await first(stream)
    assert api.open_responses == 0


async def test_the_response_of_a_stream(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=body(*WHOLE), headers=SSE))

    assert stream.response.headers["request-id"] == "req_1"
    await settle(stream.close())


async def test_a_stream_made_by_hand_yields_raw_events(backend: Backend) -> None:
    """With `Stream(cast_to=..., client=..., response=...)`."""

    chunks = (b"event: ping\n", b'data: {"foo":true}\n\n', b'data: {"bar":false}\n\n')

    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    client, _ = backend.scripted()
    stream_cls: Any = AsyncStream if backend.is_async else Stream
    content: Any = arriving() if backend.is_async else iter(chunks)
    stream = stream_cls(cast_to=object, client=client, response=httpx.Response(200, content=content))

    events = [event async for event in each(stream._iter_events())]

    assert [(event.event, event.json()) for event in events] == [
        ("ping", {"foo": True}),
        (None, {"bar": False}),
    ]


def test_a_stream_of_another_type() -> None:
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
