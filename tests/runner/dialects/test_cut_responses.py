"""The kind "a response that breaks": a whole answer in it counts, and of any other the text is kept (P16)."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from headrace.dialects import judge_cut
from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import TransportError
from headrace_client.transport import ConnectionLost
from tests.transport.scripted import Peer, response, story

from .samples import COMPLETION, MESSAGE, answer, dialect, request

APIS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "chat": ("openai", "/v1/chat/completions", COMPLETION),
    "messages": ("anthropic", "/v1/messages", MESSAGE),
}
EVERY_API = pytest.mark.parametrize("api", APIS)


def lost(body: bytes | None, *, message: str = "the connection broke") -> ConnectionLost:
    """The error of a response whose body had come as far as this."""
    error = ConnectionLost(message, sent=True)
    error.partial = None if body is None else answer(200, body)
    return error


def judged(api: str, error: TransportError, *, stream: bool = False) -> Success | Failure:
    name, path, _ = APIS[api]
    found = dialect(name)
    whole = JobRequest(path=path, body=b"{}", model="m", max_tokens=16, stream=stream)
    assembler = None
    if stream:
        assembler = found.assembler(whole)
        assembler.feed(b"" if error.partial is None else error.partial.body)
    outcome = judge_cut(found, whole, error, assembler)
    return outcome if isinstance(outcome, Failure) else outcome[0]


@EVERY_API
@pytest.mark.parametrize("stream", [False, True])
def test_a_body_is_whole_or_kept_wherever_it_is_cut(api: str, stream: bool) -> None:
    body = json.dumps(APIS[api][2]).encode()

    for end in range(1, len(body)):
        failure = judged(api, lost(body[:end]), stream=stream)
        assert isinstance(failure, Failure), end
        assert (failure.kind, failure.sent) == ("connection", True)
        assert failure.answer is not None
        assert json.loads(failure.answer) == body[:end].decode()
    assert isinstance(judged(api, lost(body), stream=stream), Success)


@EVERY_API
def test_a_response_that_breaks_before_its_body_keeps_nothing(api: str) -> None:
    failure = judged(api, lost(None))

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.answer) == ("connection", None)


def test_what_the_beginning_of_an_answer_says_is_no_error() -> None:
    failure = judged("chat", lost(b'{"choices":[{"message":{"content":"429 Too many requests: rate limit'))

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.status) == ("connection", None)


def test_an_error_that_had_come_as_a_whole_is_that_error() -> None:
    failure = judged("chat", lost(b'{"error":{"code":429,"message":"slow down"}}'))

    assert isinstance(failure, Failure)
    assert failure.kind == "rate_limit"


CHUNK: dict[str, Any] = {"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": "stop"}]}


def test_events_that_were_not_asked_for_need_their_closing_event() -> None:
    event = b"data: " + json.dumps(CHUNK).encode() + b"\n\n"

    cut = judged("chat", lost(event))
    assert isinstance(cut, Failure)
    assert cut.kind == "connection"
    assert b"Hello" in (cut.answer or b"")
    assert isinstance(judged("chat", lost(event + b"data: [DONE]\n\n")), Success)


@pytest.mark.parametrize(
    ("sent", "whole"),
    [
        (response(b"hello", framing=b"content-length: 9"), b"hello"),
        (response(b"5\r\nhello\r\n", framing=b"transfer-encoding: chunked"), b"hello"),
        (response(b"5\r\nhello\r\nnot a chunk\r\n", framing=b"transfer-encoding: chunked"), b"hello"),
        (response(gzip.compress(b"hello", mtime=0)[:-4], b"content-encoding: gzip"), b"hello"),
        (response(b"{}", b"content-encoding: gzip"), b"{}"),
        (response(b"{}", b"content-encoding: br"), b"{}"),
        (response(b"hello", status=b"500 Oops", framing=b"content-length: 9"), None),
        (b"HTTP/1.1 200 OK\r\ncontent-le", None),
    ],
)
@pytest.mark.trio
async def test_a_sender_hands_over_what_had_come_of_a_response_that_breaks(
    sent: bytes, whole: bytes | None, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        await trio.sleep(1)
        peer.stream.close()

    async with story(script) as it:
        with pytest.raises(TransportError) as caught:
            await it.sender.send(b"{}")

    partial = caught.value.partial
    assert (partial and partial.body) == whole


# -- what a stream had brought


def outcome_of(name: str, path: str, *events: dict[str, Any] | bytes) -> Success | Failure:
    assembler = dialect(name).assembler(request(path))
    for event in events:
        data = event if isinstance(event, bytes) else b"data: " + json.dumps(event).encode() + b"\n\n"
        if assembler.feed(data):
            break
    return assembler.finish()


def delta(text: str, index: int = 0, name: str = "output_text") -> dict[str, Any]:
    return {"type": f"response.{name}.delta", "output_index": index, "delta": text}


@pytest.mark.parametrize("status", ["failed", "cancelled", "incomplete", "completed"])
def test_a_terminal_event_without_output_keeps_what_the_deltas_brought(status: str) -> None:
    error = {"code": "rate_limit_exceeded", "message": "slow down"} if status == "failed" else None
    last: dict[str, Any] = {
        "type": f"response.{status}",
        "response": {"id": "r", "status": status, "error": error, "output": []},
    }

    outcome = outcome_of(
        "openai", "/v1/responses", delta("Hel"), delta("{", 1, "function_call_arguments"), delta("lo"), last
    )

    if isinstance(outcome, Failure):
        assert outcome.sent  # text had come, so it may be billed
    body = outcome.message if isinstance(outcome, Success) else outcome.answer
    assert json.loads(body or b"")["output"] == [
        {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "function_call", "arguments": "{"},
    ]


def test_events_of_another_api_are_kept_as_they_came() -> None:
    failure = outcome_of("openai", "/v1/responses", CHUNK, b"data: [DONE]\n\n")

    assert isinstance(failure, Failure)
    assert b"Hello" in (failure.answer or b"")


DEEP = b'data: {"choices":[{"index":0,"delta":{"content":"deep","x":' + b"[" * 300 + b"]" * 300 + b"}}]}\n\n"


@pytest.mark.parametrize(
    "event",
    [DEEP, b"data: half of an event\n\n", b'data: {"choices":[{"delta":[7]}]}\n\n'],
    ids=["too deep", "not JSON", "malformed"],
)
def test_an_event_that_cannot_be_read_is_kept_next_to_what_could(event: bytes) -> None:
    first = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}

    failure = outcome_of("openai", "/v1/chat/completions", first, event)

    assert isinstance(failure, Failure)
    kept = json.loads(failure.answer or b"")
    assert kept["choices"][0]["message"]["content"] == "Hello"
    assert kept["unread_events"] == [event[6:-2].decode()]


def test_an_answer_of_which_an_event_is_too_deep_is_not_whole() -> None:
    failure = outcome_of("openai", "/v1/chat/completions", DEEP, CHUNK, b"data: [DONE]\n\n")

    assert isinstance(failure, Failure)
    assert "deeper than" in failure.message


@pytest.mark.parametrize(
    "error",
    [
        b"event: error\ndata: 429 Too many requests\n\n",
        b'{"error":{"code":429,"message":"slow down"}}\n',
        b'{\n  "error": {\n    "code": 429,\n    "message": "slow down"\n  }\n}\n\n',
        b'data: {"x_groq":{"error":"Rate limit reached"},"choices":[]}\n\n',
    ],
    ids=["a text", "between the events", "on several lines", "Groq's"],
)
def test_an_error_counts_in_any_form_in_which_it_stands_in_a_stream(error: bytes) -> None:
    first = {"choices": [{"index": 0, "delta": {"content": "Hello"}}]}

    failure = outcome_of("openai", "/v1/chat/completions", first, error)

    assert isinstance(failure, Failure)
    assert (failure.kind, failure.sent) == ("rate_limit", True)
    assert b"Hello" in (failure.answer or b"")


@pytest.mark.parametrize(
    "stream",
    [
        b"data: %b\ndata: [DONE]\n" % json.dumps(CHUNK).encode(),
        b"data: data: %b\n\ndata: data: [DONE]\n\n" % json.dumps(CHUNK).encode(),
        b'data: {"choices":[{"index":0,\ndata: "delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n',
    ],
    ids=["no blank lines", "framed twice", "one event on two lines"],
)
def test_events_are_read_however_they_are_framed(stream: bytes) -> None:
    outcome = outcome_of("openai", "/v1/chat/completions", stream)

    assert isinstance(outcome, Success), outcome
    assert b"Hello" in outcome.message
