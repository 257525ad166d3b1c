"""Streamed responses: assembled into a whole message, or a failure that says why not (P16)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headrace.dialects import Dialect, _streams
from headrace.job import Failure, Success, Usage

from .samples import dialect

START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 1},
    },
}
END: list[dict[str, Any]] = [
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 36},
    },
    {"type": "message_stop"},
]


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


TEXT = block(
    0,
    {"type": "text", "text": ""},
    {"type": "text_delta", "text": "Hel"},
    {"type": "text_delta", "text": "lo\u2028"},
)
TOOL = block(
    1,
    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    {"type": "input_json_delta", "partial_json": '{"a":'},
    {"type": "input_json_delta", "partial_json": " [1]}"},
)


def messages_sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def chat_sse(*chunks: dict[str, Any], end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + end


def assembled(using: Dialect, stream: bytes, *, step: int | None = None) -> Success | Failure:
    assembler = using.assembler()
    step = step or max(len(stream), 1)
    for start in range(0, len(stream), step):
        assembler.feed(stream[start : start + step])
    return assembler.finish()


def failed(name: str, stream: bytes) -> Failure:
    outcome = assembled(dialect(name), stream)
    assert isinstance(outcome, Failure)
    return outcome


@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_message_is_put_together_in_any_chunking(step: int | None) -> None:
    stream = messages_sse(START, {"type": "ping"}, *TEXT, *TOOL, *END)

    outcome = assembled(dialect("anthropic"), stream, step=step)

    assert isinstance(outcome, Success)
    assert (outcome.usage, outcome.stop_reason) == (Usage(input=11, output=36), "end_turn")
    assert len(outcome.message.decode().splitlines()) == 1
    assert json.loads(outcome.message) == {
        **START["message"],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 11, "output_tokens": 36},
        "content": [
            {"type": "text", "text": "Hello\u2028"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1]}},
        ],
    }


def test_events_and_deltas_of_a_later_api_survive() -> None:
    later = block(
        0, {"type": "sketch", "lines": ["a"]}, {"type": "sketch_delta", "lines": ["b"], "ink": "blue"}
    )

    outcome = assembled(dialect("anthropic"), messages_sse(START, {"type": "mood", "x": 1}, *later, *END))

    assert isinstance(outcome, Success)
    assert json.loads(outcome.message)["content"] == [{"type": "sketch", "lines": ["a", "b"], "ink": "blue"}]


def test_the_first_token_is_noticed_with_the_first_delta() -> None:
    assembler = dialect("anthropic").assembler()

    assembler.feed(messages_sse(START, {"type": "ping"}, TEXT[0]))
    assert not assembler.has_token
    assembler.feed(messages_sse(TEXT[1]))
    assert assembler.has_token
    assembler.feed(messages_sse(TEXT[3]))
    assert assembler.has_token


WHOLE = messages_sse(START, *TEXT, *END)
NO_MESSAGES = {
    "empty": b"",
    "cut before message_stop": messages_sse(START, *TEXT, END[0]),
    "cut in the last event": WHOLE[:-5],
    "no stop reason": messages_sse(START, *TEXT, END[1]),
    "no start": messages_sse(*TEXT, *END),
    "JSON instead": json.dumps(START["message"]).encode(),
    "HTML": b"<html>\n\n</html>\n\n",
    "data is not JSON": b"data: {nonsense\n\n",
    "data is not an object": b"data: [1]\n\n",
    "text is a number": messages_sse(
        START, *block(0, {"type": "text"}, {"type": "text_delta", "text": 1}), *END
    ),
    "deep": b"data: " + b"[" * 100_000 + b"\n\n",
}


@pytest.mark.parametrize(
    ("stream", "message"),
    [
        (
            b"data: oops, it failed\n\n",
            "200: oops, it failed (not an answer: no event of the stream is JSON)",
        ),
        (b"<html>\nlogin</html>", "200: <html> login</html> (not an answer: the stream has no events)"),
        (b"", "an invalid stream: it is empty"),
    ],
)
def test_a_stream_without_an_event_quotes_what_came_first(stream: bytes, message: str) -> None:
    assert failed("anthropic", stream).message == message
    assert failed("openai", stream).message == message


@pytest.mark.parametrize("stream", NO_MESSAGES.values(), ids=NO_MESSAGES.keys())
def test_an_incomplete_stream_is_an_invalid_response_that_may_be_billed(stream: bytes) -> None:
    got = failed("anthropic", stream)

    assert (got.kind, got.sent) == ("invalid_response", True)
    assert got.message.startswith("an invalid stream: ") or got.message.endswith(
        ("(not an answer: no event of the stream is JSON)", "(not an answer: the stream has no events)")
    )


@pytest.mark.parametrize("name", ["anthropic", "openai"])
@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, "overloaded", 529),
        ({"type": "rate_limit_error", "message": "slow"}, "rate_limit", 429),
        ({"type": "rate_limit_error", "message": "Number of concurrent connections"}, "rate_limit", 429),
        ({"type": "insufficient_quota", "code": "insufficient_quota", "message": "no"}, "spend_limit", 429),
        ({"type": "authentication_error", "message": "no"}, "credentials", 401),
        ({"type": "invalid_request_error", "message": "no"}, "rejected", 400),
        ({"type": "api_error", "message": "oops"}, "server", 500),
        ({"type": "never_heard_of", "message": "oops"}, "server", 500),
    ],
)
def test_an_error_inside_a_stream_is_what_it_would_be_as_a_status(
    name: str, error: dict[str, str], kind: str, status: int
) -> None:
    """What comes after it, a message_stop included, does not repair it."""
    begun = messages_sse(START) if name == "anthropic" else chat_sse(chunk({"content": "a"}), end=b"")
    data = json.dumps({"type": "error", "error": error}).encode()

    got = failed(name, begun + b"event: error\ndata: " + data + b"\n\n" + WHOLE + b"data: [DONE]\n\n")

    assert (got.kind, got.status, got.sent) == (kind, status, True)
    assert got.message == f"{status} {error['type']}: {error['message']}"


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_an_event_that_never_ends_is_too_large(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "MAX_STREAM_SIZE", 1000)

    assert failed(name, b"data: " + b"x" * 2000).kind == "too_large"


@pytest.mark.parametrize("name", ["anthropic", "openai"])
def test_a_stream_that_never_ends_is_too_large(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_streams, "MAX_STREAM_SIZE", 1000)
    assembler = dialect(name).assembler()

    for _ in range(200):
        assembler.feed(b": ping\n")

    outcome = assembler.finish()
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.sent) == ("too_large", True)


def chunk(delta: dict[str, Any], finish_reason: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, **more}
    return {"id": "c", "object": "chat.completion.chunk", "created": 5, "model": "m", "choices": [choice]}


USAGE: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 11, "completion_tokens": 36}}


@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_chat_completion_is_put_together_in_any_chunking(step: int | None) -> None:
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": ""}}
    stream = chat_sse(
        chunk({"role": "assistant", "content": "", "refusal": None}),
        chunk({"content": "Hel"}, logprobs={"content": [{"token": "Hel", "logprob": -1}], "refusal": None}),
        chunk({"content": "lo"}, logprobs={"content": [{"token": "lo", "logprob": -2}], "refusal": None}),
        chunk({"reasoning_content": "be"}),
        chunk({"reasoning_content": "cause"}),
        chunk({"tool_calls": [call]}),
        chunk({"tool_calls": [{"index": 1, "id": "u", "function": {"name": "g", "arguments": "{}"}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":'}}]}),
        chunk({"tool_calls": [{"index": 0, "function": {"arguments": "1}"}}]}),
        chunk({}, "tool_calls"),
        USAGE,
    )

    outcome = assembled(dialect("openai"), stream, step=step)

    assert isinstance(outcome, Success)
    assert (outcome.usage, outcome.stop_reason) == (Usage(input=11, output=36), "tool_calls")
    assert json.loads(outcome.message) == {
        "id": "c",
        "object": "chat.completion",
        "created": 5,
        "model": "m",
        "usage": USAGE["usage"],
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": {
                    "content": [{"token": "Hel", "logprob": -1}, {"token": "lo", "logprob": -2}],
                    "refusal": None,
                },
                "message": {
                    "role": "assistant",
                    "content": "Hello",
                    "refusal": None,
                    "reasoning_content": "because",
                    "tool_calls": [
                        {"id": "t", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
                        {"id": "u", "function": {"name": "g", "arguments": "{}"}},
                    ],
                },
            }
        ],
    }


def test_several_choices_are_kept_apart_and_in_order() -> None:
    stream = chat_sse(
        chunk({"content": "b"}, "stop", index=1), chunk({"content": "a"}), chunk({"content": "A"}, "length")
    )

    outcome = assembled(dialect("openai"), stream)

    assert isinstance(outcome, Success)
    choices = json.loads(outcome.message)["choices"]
    assert [(choice["index"], choice["message"]["content"]) for choice in choices] == [(0, "aA"), (1, "b")]
    assert outcome.stop_reason == "length"


def test_names_that_a_server_repeats_in_every_chunk_are_said_once() -> None:
    call = {"index": 0, "id": "t", "type": "function", "function": {"name": "f", "arguments": "1"}}
    part = chunk({"role": "assistant", "tool_calls": [call]}, "tool_calls")

    outcome = assembled(dialect("openai"), chat_sse(part, part))

    assert isinstance(outcome, Success)
    assert json.loads(outcome.message)["choices"][0] == {
        "index": 0,
        "finish_reason": "tool_calls",
        "message": {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "11"}}],
        },
    }


def test_a_chunk_that_is_an_error_needs_no_event_name() -> None:
    error = {"error": {"message": "slow", "type": "rate_limit_error", "code": None}}

    assert failed("openai", chat_sse(chunk({"content": "a"}), error)).kind == "rate_limit"


def test_a_role_is_no_token_and_a_tool_call_is_one() -> None:
    assembler = dialect("openai").assembler()

    assembler.feed(chat_sse(chunk({"role": "assistant", "content": ""}), end=b""))
    assert not assembler.has_token
    assembler.feed(chat_sse(chunk({"tool_calls": [{"index": 0}]}), end=b""))
    assert assembler.has_token


@pytest.mark.parametrize(
    "stream",
    [
        b"",
        b"data: [DONE]\n\n",
        chat_sse(chunk({"content": "a"}), end=b""),
        chat_sse(chunk({"content": "a"})),
        chat_sse(chunk({"content": "a"}, "stop"), chunk({"content": "b"}, index=1)),
        b"data: 1\n\ndata: [DONE]\n\n",
        b"data: {\n\ndata: [DONE]\n\n",
        chat_sse({"choices": [1]}),
        chat_sse({"choices": 1}),
        chat_sse(chunk({"content": [1]}), chunk({"content": {"a": 1}}, "stop"), chunk({}, index=[])),
    ],
)
def test_an_incomplete_chat_stream_is_an_invalid_response(stream: bytes) -> None:
    assert failed("openai", stream).kind == "invalid_response"
