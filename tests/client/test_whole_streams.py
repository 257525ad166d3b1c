"""The kind "an answer is whole when its closing event has come": the client's streams, on all faces.

A stream that was left before that, for whatever reason, never looks like a short one.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client import APIConnectionError, APIResponseValidationError, RateLimitError
from headrace_client._responses.event_reader import ENDED, NEEDS_BYTES, EventReader
from headrace_client._responses.jsonl import AsyncJSONLDecoder, JSONLDecoder
from headrace_client._responses.stream import IncompleteStreamError
from headrace_client.testing import Chunk, reply
from headrace_client.types import RawMessageStreamEvent
from tests.client.backends import ASYNC_ONLY, TRIO_ONLY, Backend, each, entered, settle
from tests.client.http_server import QuietHandler, http_server
from tests.client.stream_events import (
    BLOCK,
    MESSAGE,
    PING,
    SSE,
    START,
    STOP,
    TEXT,
    WHOLE,
    body,
    collect,
    first,
    start,
)

pytestmark = pytest.mark.anyio

PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}
OPEN = body(*WHOLE[:-1])
CLOSING = body(STOP)
TYPES = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_stop"]
AFTER: dict[str, list[Chunk]] = {
    "nothing": [],
    "left open": [1000.0],
    "a cut": [httpx.RemoteProtocolError("peer closed connection without sending complete message body")],
    "a reset": [httpx.ReadError("reset by peer")],
    "silence": [httpx.ReadTimeout("silence")],
    "[DONE]": [b"data: [DONE]\n\n"],
    "pings": [body(PING), 1000.0],
    "an error": [body(("error", {"type": "error", "error": {"type": "api_error", "message": "late"}}))],
    "another message": [body(*WHOLE)],
    "nonsense": [b"\xff\xfe\n\n", b"data: {\n\n"],
}
EVERY_END = pytest.mark.parametrize("after", AFTER.values(), ids=AFTER)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """On asyncio time is real, and a response that is left open is waited for a moment."""
    monkeypatch.setattr("headrace_client._httpx.lingering.LINGER", 0.01)


@EVERY_END
@pytest.mark.usefixtures("quick")
async def test_what_comes_after_message_stop_does_not_matter(backend: Backend, after: list[Chunk]) -> None:
    stream, api = await start(backend, reply(body=[OPEN, CLOSING, *after]))

    assert [event.type async for event in each(stream)] == TYPES
    assert [event async for event in each(stream)] == []
    assert api.open_responses == 0


@EVERY_END
@pytest.mark.usefixtures("quick")
async def test_the_final_message_is_there_at_message_stop(backend: Backend, after: list[Chunk]) -> None:
    client, api = backend.scripted(reply(body=[OPEN + CLOSING, *after]), max_retries=0)

    async with entered(client.messages.stream(**PROMPT)) as stream:
        assert await settle(stream.get_final_text()) == "Hi"
        assert (await settle(stream.get_final_message())).content[0].text == "Hi"

    assert api.open_responses == 0


@pytest.mark.parametrize("missing", [1, 2])
@pytest.mark.parametrize("after", [AFTER["nothing"], AFTER["left open"], AFTER["a cut"]])
@pytest.mark.usefixtures("quick")
async def test_a_missing_blank_line_at_the_end_does_not_matter(
    backend: Backend, missing: int, after: list[Chunk]
) -> None:
    stream, _ = await start(backend, reply(body=[OPEN, CLOSING[:-missing], *after]))

    assert [event.type async for event in each(stream)] == TYPES


@pytest.mark.usefixtures("quick")
async def test_all_events_end_with_message_stop(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=[OPEN, CLOSING, body(PING), 1000.0]))

    assert [event.type async for event in each(stream.all_events())][-1] == "message_stop"


NOTHING = [
    b"event: content_block_delta\n\n",
    b"event: content_block_delta\ndata:\n\n",
    b"event: message_delta\ndata:   \n\n",
    b"event: message_stop\ndata: null\n\n",
    b"event: content_block_delta\ndata: null\n\n",
    b"event: content_block_delta\ndata: [1]\n\n",
    b"event: content_block_delta\ndata: {cut\n\n",
    b'event: message_start\ndata: {"type":"message_start","message":null}\n\n',
    b"event: ping\n\n",
    b"data:\n\n",
    b": comment\n\n",
    b"event: future\ndata: hello\n\n",
    b'data: {"type":"future"}\n\n',
    b"event: error\n\n",
]


@pytest.mark.parametrize("event", NOTHING)
@pytest.mark.parametrize("at", [0, 2, 5])
async def test_events_that_carry_nothing_are_passed_over(backend: Backend, event: bytes, at: int) -> None:
    events = [body(one) for one in WHOLE]
    events.insert(at, event)
    client, _ = backend.scripted(reply(body=events), reply(body=events), max_retries=0)

    async with entered(client.messages.stream(**PROMPT)) as helper:
        assert await settle(helper.get_final_text()) == "Hi"
    stream = await settle(client.messages.create(**PROMPT, stream=True))
    assert [one.type async for one in each(stream)] == TYPES


async def test_events_without_a_name_are_named_by_their_type(backend: Backend) -> None:
    named = {name: {"type": name, **value} for name, value in WHOLE}
    nameless = b"".join(body(("x", value)).split(b"\n", 1)[1] for value in named.values())
    stream, _ = await start(backend, reply(body=nameless))

    assert [event.type async for event in each(stream)] == TYPES


async def test_an_error_event_without_a_name_raises(backend: Backend) -> None:
    error = b'data: {"type":"error","error":{"type":"rate_limit_error","message":"slow down"}}\n\n'
    stream, _ = await start(backend, reply(body=body(START) + error))

    with pytest.raises(RateLimitError):
        _ = [event async for event in each(stream)]


@pytest.mark.parametrize(
    "stream_body",
    [
        b"",
        b"\n\n",
        b"data: [DONE]\n\n",
        body(PING),
        body(("news", {"x": 1})),
        *NOTHING,
        body(START, BLOCK, TEXT),
        body(START, ("news", {"x": 1})),
        body(START) + b"data: [DONE]\n\n",
        CLOSING[:-10],
    ],
)
async def test_a_message_that_is_not_whole_is_never_a_quiet_end(backend: Backend, stream_body: bytes) -> None:
    script = [reply(body=stream_body) for _ in range(3)]
    client, _ = backend.scripted(*script, max_retries=0)
    stream = await settle(client.messages.create(**PROMPT, stream=True))

    with pytest.raises((IncompleteStreamError, APIResponseValidationError)):
        _ = [event async for event in each(stream)]
    async with entered(client.messages.stream(**PROMPT)) as helper:
        with pytest.raises((IncompleteStreamError, APIResponseValidationError)):
            await settle(helper.get_final_message())


async def test_the_text_of_an_event_that_is_not_json_is_kept_for_the_error(backend: Backend) -> None:
    bad = b"event: message_delta\ndata: {cut\n\n"
    alone, _ = await start(backend, reply(body=bad))
    begun, _ = await start(backend, reply(body=body(START) + bad))

    with pytest.raises(APIResponseValidationError) as invalid:
        _ = [event async for event in each(alone)]
    with pytest.raises(IncompleteStreamError) as incomplete:
        _ = [event async for event in each(begun)]

    assert (invalid.value.body, incomplete.value.body) == ("{cut", "{cut")


@pytest.mark.parametrize("name", ["", "event: message_start\n", "event: message\n"])
async def test_an_event_that_is_not_json_is_quoted_whatever_its_name(backend: Backend, name: str) -> None:
    stream, _ = await start(backend, reply(body=name.encode() + b"data: oops,\ndata: it failed\n\n"))

    with pytest.raises(APIResponseValidationError, match=r'^The server sent "oops, it failed"') as caught:
        _ = [event async for event in each(stream)]
    assert caught.value.body == "oops,\nit failed"


@pytest.mark.parametrize("kind", ["text/event-stream", "text/html", "text/plain"])
async def test_text_that_came_instead_of_events_is_quoted(backend: Backend, kind: str) -> None:
    page = b"<html>\n  <p>upstream: connect error</p>\n</html>"
    stream, _ = await start(backend, reply(headers={"content-type": kind}, body=page + b" " * 10_000))

    with pytest.raises(IncompleteStreamError, match=r'^The server sent "<html> <p>upstream: conn') as caught:
        _ = [event async for event in each(stream)]
    assert caught.value.body == page.decode()


@pytest.mark.parametrize("nothing", [b"", b": alive\n\n", b"\xef\xbb\xbfevent: ping\n\n", b"data\n\n"])
async def test_a_stream_without_text_quotes_nothing(backend: Backend, nothing: bytes) -> None:
    stream, _ = await start(backend, reply(body=nothing))

    with pytest.raises(IncompleteStreamError) as caught:
        _ = [event async for event in each(stream)]
    assert (str(caught.value), caught.value.body) == ("The stream ended before `message_stop`.", None)


async def test_streams_of_other_apis_end_with_done_or_with_the_response(backend: Backend) -> None:
    event = ("completion", {"completion": "a"})
    done, _ = await start(
        backend, reply(body=[body(event), b"data: [DONE]\n\n", httpx.ReadError("gone")]), cast_to=dict
    )
    ended, _ = await start(backend, reply(body=body(event)), cast_to=dict)
    empty, _ = await start(backend, reply(body=b"data: [DONE]\n\n"), cast_to=dict)

    assert len([one async for one in each(done)]) == len([one async for one in each(ended)]) == 1
    with pytest.raises(IncompleteStreamError):
        _ = [one async for one in each(empty)]


ANSWER: dict[str, Any] = {
    **MESSAGE,
    "stop_reason": "end_turn",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "Hi"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        {"type": "hologram", "frames": [1]},
    ],
}


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON; charset=utf-8", "text/event-stream"]
)
async def test_a_stream_of_a_server_that_cannot_stream_is_that_of_the_whole_message(
    backend: Backend, content_type: str
) -> None:
    encoded = json.dumps(ANSWER, indent=1).encode()
    whole = reply(body=[b"\n", encoded[:50], encoded[50:]], headers={"content-type": content_type})
    client, _ = backend.scripted(whole, whole, max_retries=0)

    async with entered(client.messages.stream(**PROMPT)) as stream:
        texts = [text async for text in each(stream.text_stream)]
        message = await settle(stream.get_final_message())
    raw = await settle(client.messages.create(**PROMPT, stream=True))
    events = [event.type async for event in each(raw)]

    assert texts == ["Hi"]
    assert message.to_dict() == ANSWER
    assert (events[0], events[-1]) == ("message_start", "message_stop")


@pytest.mark.parametrize(
    ("whole", "expected"),
    [
        (b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}', RateLimitError),
        (b'{"hello":"world"}', APIResponseValidationError),
        (json.dumps(ANSWER).encode()[:-10], APIResponseValidationError),
    ],
)
async def test_json_that_is_no_message_is_an_error_of_the_stream(
    backend: Backend, whole: bytes, expected: type[Exception]
) -> None:
    stream, _ = await start(backend, reply(body=whole))

    with pytest.raises(expected):
        _ = [event async for event in each(stream)]


@pytest.mark.parametrize("content_type", ["text/event-stream", "application/json", ""])
@pytest.mark.parametrize("after", [b"", b"data: [DONE]\n\n"])
async def test_events_that_nobody_asked_for_are_the_message(
    backend: Backend, content_type: str, after: bytes
) -> None:
    headers = {"content-type": content_type} if content_type else {}
    client, _ = backend.scripted(reply(body=OPEN + CLOSING + after, headers=headers), max_retries=0)

    message = await settle(client.messages.create(**PROMPT))

    assert message.content[0].text == "Hi"


async def test_an_error_among_events_that_nobody_asked_for_is_raised(backend: Backend) -> None:
    error = ("error", {"type": "error", "error": {"type": "rate_limit_error", "message": "no"}})
    client, _ = backend.scripted(
        reply(body=body(START, error), headers=SSE), reply(body=OPEN, headers=SSE), max_retries=0
    )

    with pytest.raises(RateLimitError):
        await settle(client.messages.create(**PROMPT))
    with pytest.raises(APIResponseValidationError):
        await settle(client.messages.create(**PROMPT))


async def is_incomplete(stream: Any) -> bool:
    """Return whether reading on raises, each time and in each way."""
    for _ in range(2):
        for events in (stream, stream.all_events(), stream._iter_events()):
            with pytest.raises(IncompleteStreamError):
                await first(events)
    return True


@pytest.mark.parametrize(
    "failure",
    [
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadTimeout("silence"),
        httpx.DecodingError("gzip"),
        OSError("broken"),
        ValueError("a bug"),
    ],
)
async def test_after_an_error_a_stream_raises_again(backend: Backend, failure: Exception) -> None:
    stream, api = await start(backend, reply(body=[body(START, BLOCK), failure, CLOSING]))
    await first(stream)
    await first(stream)

    with pytest.raises(ValueError if isinstance(failure, ValueError) else APIConnectionError):
        await first(stream)

    assert await is_incomplete(stream)
    assert api.open_responses == 0


async def test_after_an_error_event_a_stream_raises_again(backend: Backend) -> None:
    error = ("error", {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}})
    stream, _ = await start(backend, reply(body=body(START, error, *WHOLE)))
    await first(stream)
    with pytest.raises(RateLimitError):
        await first(stream)

    with pytest.raises(IncompleteStreamError) as again:
        await first(stream)

    assert isinstance(again.value.__cause__, RateLimitError)


async def test_after_a_close_a_stream_raises(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=body(*WHOLE)))
    await first(stream)
    await settle(stream.close())
    await settle(stream.close())

    assert await is_incomplete(stream)


async def test_after_an_error_in_the_consumer_a_stream_raises(backend: Backend) -> None:
    client, _ = backend.scripted(reply(body=body(*WHOLE)), max_retries=0)
    streams: list[Any] = []

    async def consume() -> None:
        async with entered(client.messages.stream(**PROMPT)) as stream:
            streams.append(stream)
            await first(stream)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await consume()

    (stream,) = streams
    for read in (stream.get_final_message, stream.get_final_text, stream.until_done):
        with pytest.raises(IncompleteStreamError):
            await settle(read())
    with pytest.raises(IncompleteStreamError):
        await first(stream.text_stream)


async def test_a_stream_that_was_read_to_its_last_event_is_whole_even_if_it_is_left_there(
    backend: Backend,
) -> None:
    client, _ = backend.scripted(reply(body=[OPEN, CLOSING, 1000.0]), max_retries=0)

    async with entered(client.messages.stream(**PROMPT)) as stream:
        while (await first(stream)).type != "message_stop":
            pass

    assert (await settle(stream.get_final_message())).content[0].text == "Hi"


@TRIO_ONLY
@pytest.mark.parametrize("seconds", [1.0, 4.0, 6.0])
async def test_after_a_wait_was_cancelled_a_stream_raises(backend: Backend, seconds: float) -> None:
    stream, api = await start(backend, reply(body=[body(START), 5.0, body(BLOCK), 5.0, body(TEXT), CLOSING]))
    seen: list[str] = []

    with trio.move_on_after(seconds) as scope:
        await collect(stream, seen)

    assert scope.cancelled_caught
    assert await is_incomplete(stream)
    assert api.open_responses == 0


@ASYNC_ONLY
async def test_a_stream_that_another_task_closes_raises_in_the_one_that_reads(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=[body(START), 0.05, *map(body, WHOLE[1:])]))
    await first(stream)
    raised: list[BaseException] = []

    async def read() -> None:
        try:
            await first(stream)
        except Exception as error:  # noqa: BLE001  # whatever it is, the test compares it
            raised.append(error)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await anyio.wait_all_tasks_blocked()
        await stream.close()

    assert [type(error) for error in raised] == [IncompleteStreamError]
    assert await is_incomplete(stream)


@ASYNC_ONLY
async def test_a_second_task_that_reads_is_rejected_and_the_first_goes_on(backend: Backend) -> None:
    stream, _ = await start(backend, reply(body=[body(START), 0.01, *map(body, WHOLE[1:])]))
    seen: list[str] = []

    async def second() -> None:
        with pytest.raises(RuntimeError, match="another task"):
            await first(stream)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(collect, stream, seen)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(second)

    assert seen == TYPES


@ASYNC_ONLY
async def test_everything_asynchronous_can_be_closed_with_aclosing(backend: Backend) -> None:
    client, api = backend.scripted(*[reply(body=body(*WHOLE))] * 3, max_retries=0)

    async with aclosing(client):
        async with aclosing(await client.messages.create(**PROMPT, stream=True)) as stream:
            await first(stream)
        async with client.messages.stream(**PROMPT) as helper, aclosing(helper):
            await first(helper)
        async with client.messages.with_streaming_response.create(**PROMPT) as response, aclosing(response):
            pass
        assert api.open_responses == 0

    assert client.is_closed()


@pytest.mark.parametrize("method", ["iter_bytes", "iter_text", "iter_lines"])
@pytest.mark.parametrize("leave", ["error", "close"])
async def test_the_chunks_of_a_body_that_was_left_raise_again(
    backend: Backend, method: str, leave: str
) -> None:
    chunks: list[Chunk] = [b"a\n", b"b\n", httpx.ReadError("reset"), b"c\n"]
    client, _ = backend.scripted(reply(body=chunks), max_retries=0)

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        parts = getattr(response, method)()
        await first(parts)
        if leave == "close":
            await settle(response.close())
        else:
            with pytest.raises(APIConnectionError):
                _ = [part async for part in each(parts)]

        for _ in range(2):
            with pytest.raises(APIConnectionError):
                await first(parts)


async def test_the_chunks_of_a_whole_body_end_quietly(backend: Backend) -> None:
    client, _ = backend.scripted(reply(body=[b"a", b"b"]), max_retries=0)

    async with entered(client.messages.with_streaming_response.create(**PROMPT)) as response:
        parts = response.iter_bytes()
        assert [part async for part in each(parts)] == [b"a", b"b"]
        await settle(response.close())
        assert [part async for part in each(parts)] == []


@pytest.mark.parametrize("leave", ["error", "close"])
async def test_json_lines_that_were_left_raise_again(backend: Backend, leave: str) -> None:
    lines, response = json_lines(backend, [b'{"a":1}\n', b'{"a":2}\n', httpx.ReadError("reset")])
    assert await first(lines) == {"a": 1}
    if leave == "close":
        await settle(lines.close())
    else:
        with pytest.raises(APIConnectionError):
            _ = [line async for line in each(lines)]

    for _ in range(2):
        with pytest.raises(APIConnectionError):
            await first(lines)
    assert response.is_closed


def json_lines(backend: Backend, chunks: list[Chunk]) -> tuple[Any, httpx.Response]:
    async def arriving() -> Any:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def arrived() -> Any:
        for chunk in chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    decoder: Any = AsyncJSONLDecoder if backend.is_async else JSONLDecoder
    raw: Callable[[], Any] = arriving if backend.is_async else arrived
    response = httpx.Response(200, content=raw(), request=httpx.Request("GET", "http://x"))
    return decoder(raw_iterator=raw(), line_type=dict, http_response=response), response


class Streamer(QuietHandler):
    """Streams a message; ends the response, or leaves it open until it is released."""

    protocol_version = "HTTP/1.1"
    peers: list[int]
    released: threading.Event

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        self.body()
        self.peers.append(self.client_address[1])
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for part in (OPEN, CLOSING):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        if self.path.startswith("/ends"):
            self.wfile.write(b"0\r\n\r\n")
        else:
            self.released.wait(60)
            self.close_connection = True


@pytest.mark.parametrize("backend", ["sync", "asyncio"], indirect=True)  # on trio, time is virtual
@pytest.mark.parametrize(("path", "connections"), [("/ends", 1), ("/open", 3)])
async def test_a_connection_is_reused_only_if_the_response_ends_at_once(
    backend: Backend, path: str, connections: int
) -> None:
    """Over real sockets. A client that waits for the end of an open response gets an error, not a text."""
    handler = type("Mine", (Streamer,), {"peers": [], "released": threading.Event()})

    with http_server(handler) as url:
        client = backend.client_class(base_url=url + path, max_retries=0, api_key="k")
        async with entered(client):
            for _ in range(3):
                async with entered(client.messages.stream(**PROMPT)) as stream:
                    assert await settle(stream.get_final_text()) == "Hi"
        handler.released.set()

    assert len(set(handler.peers)) == connections


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    cuts=st.lists(st.integers(0, 900), max_size=10),
    after=st.sampled_from([b"", b"data: [DONE]\n\n", body(*WHOLE), b"\xff\n\n"]),
    missing=st.integers(0, 2),
    extra=st.sampled_from([b"", *NOTHING]),
)
def test_any_chunks_give_the_same_events(cuts: list[int], after: bytes, missing: int, extra: bytes) -> None:
    whole = extra + OPEN + (CLOSING[:-missing] if missing else CLOSING + after)

    def events(edges: list[int]) -> list[str]:
        request = httpx.Request("GET", "http://x")
        reader = EventReader(httpx.Response(200, request=request), RawMessageStreamEvent, strict=False)
        found: list[str] = []
        for begin, end in itertools.pairwise(edges):
            reader.feed(whole[begin:end])
            while (event := reader.next_value()) not in (NEEDS_BYTES, ENDED):
                found.append(event.type)
        return found if reader.complete else ["incomplete"]

    assert events(sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})) == TYPES
