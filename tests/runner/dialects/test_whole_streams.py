"""The kind "an answer is whole when its closing event has come", not when the connection ends (P16)."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from headrace.dialects import Assembler, judge_any_form
from headrace.job import Failure, Success
from headrace_client.transport import ConnectionLost
from headrace_client.transport.http1 import LINGER
from headrace_client.transport.sender import Response
from tests.transport.scripted import Peer, story

from .samples import COMPLETION, MESSAGE, dialect, request

START: dict[str, Any] = {**MESSAGE, "content": [], "stop_reason": None}
MESSAGE_EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": START},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 36}},
]
CHAT_EVENTS: list[dict[str, Any]] = [
    {"id": "c", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hello"}}]},
    {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    {"id": "c", "choices": [], "usage": COMPLETION["usage"]},
]
TEXT_EVENTS: list[dict[str, Any]] = [
    {"object": "text_completion", "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}]},
]
RESPONSE = {"id": "r", "object": "response", "output": [{"type": "message", "text": "Hello"}]}
RESPONSE_EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**RESPONSE, "status": "in_progress"}},
    {"type": "response.output_text.delta", "delta": "Hello"},
]


def sse(*events: dict[str, Any], named: bool = False) -> bytes:
    parts: list[bytes] = []
    for event in events:
        name = b"event: %b\n" % event["type"].encode() if named else b""
        parts.append(name + b"data: %b\n\n" % json.dumps(event).encode())
    return b"".join(parts)


STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
DONE = b"data: [DONE]\n\n"
COMPLETED = sse({"type": "response.completed", "response": {**RESPONSE, "status": "completed"}})
APIS: dict[str, tuple[str, str, bytes, bytes]] = {
    "messages": ("anthropic", "/v1/messages", sse(*MESSAGE_EVENTS, named=True), STOP),
    "messages without names": ("anthropic", "/v1/messages", sse(*MESSAGE_EVENTS), STOP[20:]),
    "chat": ("openai", "/v1/chat/completions", sse(*CHAT_EVENTS), DONE),
    "completions": ("openai", "/v1/completions", sse(*TEXT_EVENTS), DONE),
    "responses": ("openai", "/v1/responses", sse(*RESPONSE_EVENTS), COMPLETED),
}
EVERY_API = pytest.mark.parametrize("api", APIS)
ENDS_WITHOUT_CLOSING = ("chat", "completions")


def parts_of(api: str) -> tuple[Assembler, bytes, bytes]:
    """An assembler, an answer up to its closing event, and that event."""
    name, path, body, closing = APIS[api]
    return dialect(name).assembler(request(path)), body, closing


def said(outcome: Success | Failure) -> str:
    """The text of an answer, which is whole."""
    assert isinstance(outcome, Success), outcome
    assert b"Hello" in outcome.message
    return outcome.message.decode()


@EVERY_API
@pytest.mark.parametrize(
    "after",
    [
        b"",
        DONE,
        b"event: done\ndata: [DONE]\n\n",
        b": ping\n\n",
        b"event: ping\ndata: {}\n\n",
        b"data: nonsense\n\n",
        b'data: {"error":{"message":"too late"}}\n\n',
        STOP,
        COMPLETED,
        sse(*MESSAGE_EVENTS),
        sse(*CHAT_EVENTS),
        b"\xff",
    ],
)
def test_what_follows_the_closing_event_changes_nothing(api: str, after: bytes) -> None:
    together, body, closing = parts_of(api)
    apart = parts_of(api)[0]

    assert together.feed(body + closing + after)
    assert not apart.feed(body)
    assert apart.feed(closing)
    assert apart.feed(after)

    assert said(together.finish()) == said(apart.finish())


@EVERY_API
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_blank_line_at_the_end_does_not_matter(api: str, missing: int) -> None:
    """Nor does the end of the response: the closing event is noticed as soon as it is there."""
    assembler, body, closing = parts_of(api)

    assert assembler.feed(body + closing[: len(closing) - missing])
    said(assembler.finish())


@pytest.mark.parametrize(
    "closing", [b"data: [DONE] \n\n", b"data:[DONE]\r\n\r\n", b'data: "[DONE]"\n\n', b"data: [DONE]"]
)
def test_done_may_be_written_in_other_ways(closing: bytes) -> None:
    assembler, body, _ = parts_of("chat")

    assert assembler.feed(body + closing)


@EVERY_API
def test_without_a_closing_event_only_completions_may_end(api: str) -> None:
    assembler, body, _ = parts_of(api)

    assert not assembler.feed(body)
    outcome = assembler.finish()

    if api in ENDS_WITHOUT_CLOSING:
        said(outcome)
    else:
        assert isinstance(outcome, Failure)
        assert (outcome.kind, outcome.message) == ("invalid_response", "an invalid stream: it was cut off")


@EVERY_API
def test_a_lost_connection_before_the_closing_event_is_a_failure_that_keeps_what_had_come(api: str) -> None:
    assembler, body, _ = parts_of(api)
    lost = Failure(kind="connection", message="the connection broke")

    assembler.feed(body)
    failure = assembler.cut(lost)

    assert (failure.kind, failure.message) == ("connection", "the connection broke")
    assert b"Hello" in (failure.answer or b"")
    json.loads(failure.answer or b"")


def test_each_choice_needs_a_reason_if_there_is_no_closing_event() -> None:
    assembler, body, _ = parts_of("chat")

    assembler.feed(body + sse({"choices": [{"index": 1, "delta": {"content": "more"}}]}))

    outcome = assembler.finish()
    assert isinstance(outcome, Failure)
    assert b"more" in (outcome.answer or b"")


NOTHING = [
    b"event: content_block_delta\n\n",
    b"event: content_block_delta\ndata:\n\n",
    b"event: message_delta\ndata:   \n\n",
    b"event: message_stop\ndata: null\n\n",
    b"event: error\n\n",
    b"data: null\n\n",
    b"data:\n\n",
    b"data: {}\n\n",
    b": comment\n\n",
    b"id: 7\n\n",
    b"retry: 100\n\n",
    b"event: future\ndata: {\"type\":\"future\"}\n\n",
    b"event: future\ndata: hello\n\n",
    b"event: content_block_delta\ndata: [1]\n\n",
    b"data: {\"cut\": \n\n",
    b'event: message_start\ndata: {"type":"message_start","message":null}\n\n',
    b'data: {"type":"content_block_delta","index":0,"delta":{}}\n\n',
    b'data: {"error":null}\n\n',
    b'data: {"error":{}}\n\n',
]  # fmt: skip


@EVERY_API
@pytest.mark.parametrize("event", NOTHING)
def test_events_that_carry_nothing_are_passed_over(api: str, event: bytes) -> None:
    assembler, body, closing = parts_of(api)
    events = body.split(b"\n\n")

    assembler.feed(event + event.join(part + b"\n\n" for part in events if part) + event + closing)

    said(assembler.finish())


@EVERY_API
@pytest.mark.parametrize("stream", [b"", *NOTHING, b"\n\n", DONE, STOP, b"<html>no stream</html>"])
def test_no_event_at_all_is_never_an_answer(api: str, stream: bytes) -> None:
    assembler = parts_of(api)[0]

    assembler.feed(stream)
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert outcome.kind == "invalid_response"


def test_the_text_of_an_event_that_is_not_json_is_kept_if_nothing_else_comes() -> None:
    assembler, _, closing = parts_of("chat")

    assembler.feed(b"data: upstream is down\n\n" + closing)
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert "upstream is down" in outcome.message
    assert outcome.answer == b'"upstream is down"'


def test_the_text_of_a_body_without_events_is_kept() -> None:
    assembler = parts_of("messages")[0]

    assembler.feed(b"<html>paid text</html>")
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert outcome.answer == b'"<html>paid text</html>"'


@pytest.mark.parametrize("api", ["messages", "chat", "responses"])
def test_an_error_event_ends_a_stream_and_keeps_what_had_come(api: str) -> None:
    assembler, body, closing = parts_of(api)
    error = b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"no"}}\n\n'

    assert assembler.feed(body + error + closing)
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.status) == ("overloaded", 529)
    assert b"Hello" in (outcome.answer or b"")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"code": "rate_limit_exceeded", "message": "slow down"}, "rate_limit"),
        ({"code": "server_error", "message": "oops"}, "server"),
        ({"code": "insufficient_quota", "message": "no"}, "spend_limit"),
    ],
)
def test_a_failed_response_is_the_failure_that_its_error_names(error: dict[str, str], kind: str) -> None:
    assembler, body, _ = parts_of("responses")
    failed = {"type": "response.failed", "response": {**RESPONSE, "status": "failed", "error": error}}

    assert assembler.feed(body + sse(failed))
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert outcome.kind == kind
    assert b"Hello" in (outcome.answer or b"")


def test_an_error_inside_a_choice_keeps_what_had_come() -> None:
    assembler, body, closing = parts_of("chat")
    failed = {"choices": [{"index": 0, "error": {"code": 429, "message": "slow"}, "finish_reason": "error"}]}

    assert assembler.feed(body + sse(failed) + closing)
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.status) == ("rate_limit", 429)
    assert b"Hello" in (outcome.answer or b"")


def test_what_follows_a_malformed_event_is_kept_as_well() -> None:
    assembler, body, closing = parts_of("chat")
    malformed = sse({"choices": [{"index": 0, "delta": 5}]})

    assembler.feed(malformed + body + closing)
    outcome = assembler.finish()

    assert isinstance(outcome, Failure)
    assert "an event is malformed" in outcome.message
    assert b"Hello" in (outcome.answer or b"")


@EVERY_API
def test_one_event_may_be_as_large_as_an_answer(api: str) -> None:
    assembler, body, closing = parts_of(api)
    large = body.replace(b"Hello", b"Hello" + b"x" * 3_000_000)

    for start in range(0, len(large), 100_000):
        assembler.feed(large[start : start + 100_000])
    assembler.feed(closing.replace(b"Hello", b"Hello" + b"x" * 3_000_000))

    assert len(said(assembler.finish())) > 3_000_000


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    api=st.sampled_from(list(APIS)),
    cuts=st.lists(st.integers(0, 2000), max_size=10),
    after=st.sampled_from([b"", DONE, STOP, b"data: x\n\n", b"\n"]),
    missing=st.integers(0, 2),
    end=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_any_chunks_have_the_same_outcome(
    api: str, cuts: list[int], after: bytes, missing: int, end: bytes
) -> None:
    whole, body, closing = parts_of(api)
    stream = (body + closing[: len(closing) - missing] + (b"" if missing else after)).replace(b"\n", end)
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunked = parts_of(api)[0]

    whole.feed(stream)
    for start, stop in itertools.pairwise(edges):
        chunked.feed(stream[start:stop])

    assert said(whole.finish()) == said(chunked.finish())


JSON_TYPES = ["application/json", "Application/JSON; charset=utf-8", "text/event-stream", "text/plain", ""]
EVENT_TYPES = ["text/event-stream", "Text/Event-Stream;charset=UTF-8", "application/json", "text/plain", ""]


def response(body: bytes, content_type: str, status: int = 200) -> Response:
    head = b"HTTP/1.1 200 OK\r\n%b\r\n" % (
        f"content-type: {content_type}\r\n".encode() if content_type else b""
    )
    return Response(status=status, head=head, body=body, started_at=0, first_byte_at=0, finished_at=0)


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("blanks", [b"", b"\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("content_type", EVENT_TYPES)
@EVERY_API
def test_events_are_read_whatever_was_asked_for_and_whatever_they_are_called(
    api: str, content_type: str, blanks: bytes, streamed: bool
) -> None:
    name, path, body, closing = APIS[api]
    using = dialect(name)
    assembler = using.assembler(request(path)) if streamed else None
    whole = blanks + body + closing
    if assembler is not None:
        assembler.feed(whole)

    said(judge_any_form(using, request(path), response(whole, content_type), assembler))


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("content_type", JSON_TYPES)
@pytest.mark.parametrize(("name", "body"), [("anthropic", MESSAGE), ("openai", COMPLETION)])
def test_json_is_read_whatever_was_asked_for_and_whatever_it_is_called(
    name: str, body: dict[str, Any], content_type: str, streamed: bool
) -> None:
    using = dialect(name)
    encoded = json.dumps(body, indent=2).encode()
    assembler = using.assembler() if streamed else None
    if assembler is not None:
        assembler.feed(encoded)

    said(judge_any_form(using, request(), response(encoded, content_type), assembler))


@pytest.mark.parametrize("streamed", [True, False])
def test_other_statuses_are_judged_by_their_status(streamed: bool) -> None:
    using = dialect("openai")
    assembler = using.assembler() if streamed else None

    outcome = judge_any_form(
        using, request(), response(sse(*CHAT_EVENTS) + DONE, "text/event-stream", 500), assembler
    )

    assert isinstance(outcome, Failure)
    assert outcome.status == 500


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@EVERY_API
@pytest.mark.parametrize("then", ["open", "closed", "pings", "garbage", "ended"])
@pytest.mark.trio
async def test_the_end_of_the_response_decides_only_about_the_connection(
    api: str, then: str, autojump_clock: MockClock
) -> None:
    assembler, body, closing = parts_of(api)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD, chunked(body), chunked(closing))
        if then == "closed":
            peer.stream.close()
        elif then == "garbage":
            await peer.send(b"no chunk\r\n")
        elif then == "ended":
            await trio.sleep(LINGER / 2)
            await peer.send(b"0\r\n\r\n")
        while then == "pings":
            await trio.sleep(LINGER / 3)
            try:
                await peer.send(chunked(b": ping\n\n"))
            except BrokenPipeError:
                return

    async with story(script) as it:
        began = trio.current_time()
        await it.sender.send(b"{}", on_data=assembler.feed)
        elapsed = trio.current_time() - began
        statistics = it.pool.statistics()

    said(assembler.finish())
    assert elapsed <= LINGER
    assert (statistics.idle, statistics.in_use) == (int(then == "ended"), 0)


@pytest.mark.trio
async def test_a_response_that_breaks_before_the_closing_event_is_lost(autojump_clock: MockClock) -> None:
    assembler, body, _ = parts_of("chat")

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(HEAD, chunked(body))
        peer.stream.close()

    async with story(script) as it:
        with pytest.raises(ConnectionLost):
            await it.sender.send(b"{}", on_data=assembler.feed)
