"""``messages.stream``: events, snapshots and the final message."""

from __future__ import annotations

from typing import Any

import pytest

from headrace_client import APIResponseValidationError, APITimeoutError, RateLimitError
from headrace_client._responses.stream import IncompleteStreamError
from headrace_client.testing import reply, sse
from headrace_client.types import Message
from tests.client.backends import TRIO_ONLY, Backend, each, entered, settle

pytestmark = pytest.mark.anyio

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "usage": {"input_tokens": 11, "output_tokens": 1},
    "novelty": True,
}
START = ("message_start", {"type": "message_start", "message": MESSAGE})
STOP = ("message_stop", {"type": "message_stop"})
DONE = ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}})


def begin(index: int, **block: Any) -> tuple[str, object]:
    return "content_block_start", {"index": index, "content_block": block}


def delta(index: int, **delta: Any) -> tuple[str, object]:
    return "content_block_delta", {"index": index, "delta": delta}


def end(index: int) -> tuple[str, object]:
    return "content_block_stop", {"index": index}


TEXT = (
    START,
    begin(0, type="text", text=""),
    ("ping", {"type": "ping"}),
    delta(0, type="text_delta", text="Hel"),
    delta(0, type="text_delta", text="lo"),
    end(0),
    DONE,
    STOP,
)
PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "?"}]}


async def test_events_with_their_snapshots(backend: Backend) -> None:
    client, api = backend.scripted(sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        events = [event async for event in each(stream)]

    assert [event.type for event in events] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "text",
        "content_block_delta",
        "text",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [(event.text, event.snapshot) for event in events if event.type == "text"] == [
        ("Hel", "Hel"),
        ("lo", "Hello"),
    ]
    assert events[-3].content_block.text == "Hello"
    assert events[-1].message.usage.output_tokens == 9
    assert api.open_responses == 0


async def test_the_request_is_made_on_entering_and_names_the_helper(backend: Backend) -> None:
    """The check for long answers applies only without a stream."""
    client, api = backend.scripted(sse(*TEXT))

    manager = client.messages.stream(**{**PROMPT, "max_tokens": 100_000}, extra_headers={"X-Mine": "1"})
    before = len(api.requests)
    async with entered(manager) as stream:
        await settle(stream.until_done())

    (request,) = api.requests
    assert before == 0
    assert b'"stream":true' in request.content
    assert request.headers["x-stainless-helper-method"] == "stream"
    assert request.headers["x-stainless-stream-helper"] == "messages"
    assert request.headers["x-mine"] == "1"


async def test_text_stream_and_final_text(backend: Backend) -> None:
    client, _ = backend.scripted(sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        texts = [text async for text in each(stream.text_stream)]
        final = await settle(stream.get_final_text())

    assert (texts, final) == (["Hel", "lo"], "Hello")


async def test_the_final_message(backend: Backend) -> None:
    """It is typed and keeps unknown fields."""
    answer = sse(*TEXT)
    client, _ = backend.scripted(reply(body=list(answer.chunks), headers={"request-id": "req_7"}))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        message = await settle(stream.get_final_message())
        request_id = stream.request_id

    assert message.content[0].text == "Hello"
    assert message.stop_reason == "end_turn"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (11, 9)
    assert message.novelty is True
    assert message._request_id == request_id == "req_7"
    assert stream.response.status_code == 200


async def read(backend: Backend, *events: tuple[str, object]) -> tuple[list[Any], Message]:
    """Return the events of a message with these events inside, and the message."""
    client, _ = backend.scripted(sse(START, *events, DONE, STOP))
    async with entered(client.messages.stream(**PROMPT)) as stream:
        return [event async for event in each(stream)], await settle(stream.get_final_message())


def of_type(events: list[Any], *names: str) -> list[Any]:
    return [event for event in events if event.type in names]


async def test_thinking_and_its_signature(backend: Backend) -> None:
    events, message = await read(
        backend,
        begin(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="a"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="sig"),
        end(0),
    )

    derived = of_type(events, "thinking", "signature")
    assert [event.type for event in derived] == ["thinking", "thinking", "signature"]
    assert [event.snapshot for event in derived[:2]] == ["a", "ab"]
    assert derived[2].signature == "sig"
    assert message.content[0].to_dict() == {"type": "thinking", "thinking": "ab", "signature": "sig"}


async def test_the_input_of_a_tool(backend: Backend) -> None:
    events, message = await read(
        backend,
        begin(0, type="tool_use", id="t", name="weather", input={}),
        delta(0, type="input_json_delta", partial_json='{"city": "Par'),
        delta(0, type="input_json_delta", partial_json='is", "n": 1'),
        delta(0, type="input_json_delta", partial_json="2}"),
        end(0),
    )

    assert [event.snapshot for event in of_type(events, "input_json")] == [
        {},
        {"city": "Paris"},
        {"city": "Paris", "n": 12},
    ]
    assert message.content[0].to_dict()["input"] == {"city": "Paris", "n": 12}


async def test_citations(backend: Backend) -> None:
    citation = {"type": "new", "cited_text": "x"}
    events, message = await read(
        backend,
        begin(0, type="text", text="", citations=[]),
        delta(0, type="citations_delta", citation=citation),
        end(0),
    )

    assert [len(event.snapshot) for event in of_type(events, "citation")] == [1]
    assert message.content[0].to_dict()["citations"] == [citation]


async def test_the_snapshot_grows(backend: Backend) -> None:
    client, _ = backend.scripted(sse(*TEXT))
    seen: list[str] = []

    async with entered(client.messages.stream(**PROMPT)) as stream:
        async for event in each(stream):
            if event.type == "text":
                snapshot = stream.current_message_snapshot
                seen.append(snapshot.content[0].text)

    assert seen == ["Hel", "Hello"]


async def test_a_message_without_text_has_no_final_text(backend: Backend) -> None:
    client, _ = backend.scripted(
        sse(START, begin(0, type="tool_use", id="t", name="n", input={}), end(0), STOP)
    )

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(RuntimeError, match="this one has: tool_use"):
            await settle(stream.get_final_text())


async def test_a_message_that_was_cut_off_is_an_error(backend: Backend) -> None:
    """Unlike the reference SDK."""
    client, _ = backend.scripted(sse(*TEXT[:-1]), sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(IncompleteStreamError):
            await settle(stream.get_final_message())

    async with entered(client.messages.stream(**PROMPT)) as stream:
        await settle(stream.close())
        with pytest.raises(IncompleteStreamError):
            await settle(stream.get_final_message())


async def test_an_error_event_is_typed(backend: Backend) -> None:
    """Unlike the reference SDK."""
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    client, api = backend.scripted(sse(*TEXT[:4], ("error", error)))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(RateLimitError):
            await settle(stream.until_done())
        assert stream.current_message_snapshot.content[0].text == "Hel"

    assert api.open_responses == 0


async def test_events_before_the_start_are_a_validation_error(backend: Backend) -> None:
    client, _ = backend.scripted(sse(delta(0, type="text_delta", text="?"), STOP))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(APIResponseValidationError, match="did not begin with message_start"):
            await settle(stream.until_done())


async def test_leaving_early_closes(backend: Backend) -> None:
    client, api = backend.scripted(sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)):
        assert api.open_responses == 1

    assert api.open_responses == 0


@TRIO_ONLY
async def test_time_limits(backend: Backend) -> None:
    chunks = [*sse(*TEXT[:4]).chunks, 60.0]
    client, _ = backend.scripted(reply(body=chunks), reply(body=chunks))

    for limit in ({"idle_timeout": 5.0}, {"total_timeout": 5.0}):
        async with entered(client.messages.stream(**PROMPT, **limit)) as stream:
            with pytest.raises(APITimeoutError):
                await settle(stream.until_done())


async def test_unknown_parameters_are_rejected(backend: Backend) -> None:
    client, _ = backend.scripted()

    with pytest.raises(TypeError, match="colour"):
        client.messages.stream(**PROMPT, colour="red")
