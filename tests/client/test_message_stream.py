"""``messages.stream``: events, snapshots and the final message, on all backends (contract items 25, 115)."""

from __future__ import annotations

from typing import Any

import pytest

from headrace_client import APIResponseValidationError, APITimeoutError, RateLimitError
from headrace_client._responses.stream import IncompleteStreamError
from headrace_client.testing import reply, sse
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


async def test_the_request_is_made_on_entering_and_says_what_helps_it(backend: Backend) -> None:
    """Item 25; and the guard against long answers is for those that are not streamed (115)."""
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
    """It is typed, and nothing unknown is lost."""
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


async def test_tool_input_thinking_signature_and_citations(backend: Backend) -> None:
    client, _ = backend.scripted(
        sse(
            START,
            begin(0, type="thinking", thinking="", signature=""),
            delta(0, type="thinking_delta", thinking="a"),
            delta(0, type="thinking_delta", thinking="b"),
            delta(0, type="signature_delta", signature="sig"),
            end(0),
            begin(1, type="tool_use", id="t", name="weather", input={}),
            delta(1, type="input_json_delta", partial_json='{"city": "Par'),
            delta(1, type="input_json_delta", partial_json='is", "n": 1'),
            delta(1, type="input_json_delta", partial_json="2}"),
            end(1),
            begin(2, type="text", text="", citations=[]),
            delta(2, type="citations_delta", citation={"type": "new", "cited_text": "x"}),
            end(2),
            DONE,
            STOP,
        )
    )

    async with entered(client.messages.stream(**PROMPT)) as stream:
        events = [event async for event in each(stream)]
        message = await settle(stream.get_final_message())

    derived = {"thinking", "signature", "input_json", "citation"}
    assert [event.type for event in events if event.type in derived] == [
        "thinking",
        "thinking",
        "signature",
        "input_json",
        "input_json",
        "input_json",
        "citation",
    ]
    assert [event.snapshot for event in events if event.type == "thinking"] == ["a", "ab"]
    assert [event.signature for event in events if event.type == "signature"] == ["sig"]
    inputs = [event.snapshot for event in events if event.type == "input_json"]
    assert inputs == [{}, {"city": "Paris"}, {"city": "Paris", "n": 12}]
    assert [len(event.snapshot) for event in events if event.type == "citation"] == [1]
    assert message.content[1].input == {"city": "Paris", "n": 12}
    assert message.content[2].citations[0].cited_text == "x"


async def test_the_snapshot_grows(backend: Backend) -> None:
    client, _ = backend.scripted(sse(*TEXT))
    seen: list[str] = []

    async with entered(client.messages.stream(**PROMPT)) as stream:
        async for event in each(stream):
            if event.type == "text":
                snapshot = stream.current_message_snapshot
                seen.append(snapshot.content[0].text)

    assert seen == ["Hel", "Hello"]


async def test_an_answer_without_text_has_no_final_text(backend: Backend) -> None:
    client, _ = backend.scripted(
        sse(START, begin(0, type="tool_use", id="t", name="n", input={}), end(0), STOP)
    )

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(RuntimeError, match="this one has: tool_use"):
            await settle(stream.get_final_text())


async def test_a_message_that_was_cut_off_is_never_taken_for_whole(backend: Backend) -> None:
    """Better than item 105."""
    client, _ = backend.scripted(sse(*TEXT[:-1]), sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(IncompleteStreamError):
            await settle(stream.get_final_message())

    async with entered(client.messages.stream(**PROMPT)) as stream:
        await settle(stream.close())
        with pytest.raises(IncompleteStreamError):
            await settle(stream.get_final_message())


async def test_an_error_event_is_typed(backend: Backend) -> None:
    """Better than item 103."""
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "slow down"}}
    client, api = backend.scripted(sse(*TEXT[:4], ("error", error)))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(RateLimitError):
            await settle(stream.until_done())
        assert stream.current_message_snapshot.content[0].text == "Hel"

    assert api.open_responses == 0


async def test_events_out_of_order_are_a_validation_error(backend: Backend) -> None:
    client, _ = backend.scripted(sse(START, delta(0, type="text_delta", text="?"), STOP))

    async with entered(client.messages.stream(**PROMPT)) as stream:
        with pytest.raises(APIResponseValidationError, match="no content block 0 has started"):
            await settle(stream.until_done())


async def test_leaving_early_closes(backend: Backend) -> None:
    client, api = backend.scripted(sse(*TEXT))

    async with entered(client.messages.stream(**PROMPT)):
        assert api.open_responses == 1

    assert api.open_responses == 0


@TRIO_ONLY
async def test_limits_are_those_of_the_stream(backend: Backend) -> None:
    pieces = [*sse(*TEXT[:4]).chunks, 60.0]
    client, _ = backend.scripted(reply(body=pieces), reply(body=pieces))

    for limit in ({"idle_timeout": 5.0}, {"total_timeout": 5.0}):
        async with entered(client.messages.stream(**PROMPT, **limit)) as stream:
            with pytest.raises(APITimeoutError):
                await settle(stream.until_done())


async def test_unknown_parameters_are_refused(backend: Backend) -> None:
    client, _ = backend.scripted()

    with pytest.raises(TypeError, match="colour"):
        client.messages.stream(**PROMPT, colour="red")
