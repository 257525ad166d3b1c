"""The kind "a stream's pieces are merged by what is known to grow": streamed completions and responses.

What is merged is compared with the body of the same answer without streaming.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.dialects import Assembler
from headrace.job import Failure, Success

from .samples import dialect, request

Body = dict[str, Any]
USAGE: Body = {"prompt_tokens": 11, "completion_tokens": 36}
SAFE: Body = {"hate": {"filtered": False, "severity": "safe"}}


def chunk(delta: object, finish_reason: str | None = None, *, index: int = 0, **beside: Any) -> Body:
    choice = {"index": index, "delta": delta, "finish_reason": finish_reason, **beside}
    return {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice]}


def sse(*chunks: Body, end: bytes = b"data: [DONE]\n\n") -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks) + end


def finished(assembler: Assembler, stream: bytes) -> Body:
    assembler.feed(stream)
    outcome = assembler.finish()
    assert isinstance(outcome, Success), outcome
    return json.loads(outcome.message)


def completion(*chunks: Body) -> Body:
    return finished(
        dialect("openai").assembler(request("/v1/chat/completions")),
        sse(*chunks, {"choices": [], "usage": USAGE}),
    )


def choice(*chunks: Body) -> Body:
    (only,) = completion(*chunks)["choices"]
    return only


def test_an_annotation_next_to_the_delta_is_said_once_and_the_latest_holds() -> None:
    low = {"hate": {"filtered": False, "severity": "low"}, "violence": {"severity": "safe"}}

    found = choice(
        chunk({"role": "assistant", "content": ""}, content_filter_results={}),
        chunk({"content": "Hel"}, content_filter_results=SAFE, content_filter_offsets={"start_offset": 1}),
        chunk({"content": "lo"}, content_filter_results=low, content_filter_offsets={"start_offset": 4}),
        chunk({}, "stop", content_filter_results={}),
    )

    assert found["message"]["content"] == "Hello"
    assert found["content_filter_results"] == low
    assert found["content_filter_offsets"] == {"start_offset": 4}


def test_texts_next_to_the_delta_do_not_grow() -> None:
    found = choice(
        chunk({"content": "a"}, text="a", status="running", native_finish_reason=None),
        chunk({"content": "b"}, "stop", text="ab", status="done", native_finish_reason="STOP"),
    )

    assert found["message"]["content"] == "ab"
    assert (found["status"], found["native_finish_reason"]) == ("done", "STOP")


def test_a_whole_message_in_every_chunk_adds_only_what_the_deltas_left_out() -> None:
    found = choice(
        chunk({"role": "assistant", "content": "Hel"}, message={"role": "assistant", "content": "Hel"}),
        chunk({"content": "lo"}, "stop", message={"content": "Hello!", "sources": ["s"]}),
    )

    assert found["message"] == {"role": "assistant", "content": "Hello", "sources": ["s"]}


@pytest.mark.parametrize("delta", [None, {}, {"role": "assistant"}, {"content": ""}])
def test_a_message_without_deltas_is_the_newest_one(delta: object) -> None:
    """Some servers send the whole answer as one event."""
    found = choice(chunk(delta, message={"content": "a"}), chunk(delta, "stop", message={"content": "ab"}))

    assert found["message"]["content"] == "ab"


def test_usage_and_lists_at_the_top_are_replaced() -> None:
    first = {**chunk({"content": "a"}), "usage": {**USAGE, "completion_tokens": 1}, "citations": ["x"]}
    second = {**chunk({"content": "b"}, "stop"), "usage": None, "citations": ["x", "y"], "model": ""}

    found = completion(first, second)

    assert (found["usage"], found["citations"], found["model"]) == (USAGE, ["x", "y"], "m")


def test_usage_that_only_a_choice_reports_is_that_of_the_completion() -> None:
    stream = sse(chunk({"content": "a"}), chunk({}, "stop", usage=USAGE))

    assert finished(dialect("openai").assembler(), stream)["usage"] == USAGE


def test_what_is_reported_token_by_token_grows_next_to_the_delta() -> None:
    same: Body = {"content": [{"token": "a", "logprob": -1}], "refusal": None}
    found = choice(
        chunk({"content": "a"}, logprobs=same, token_ids=[5]),
        chunk({"content": "a"}, logprobs=same, token_ids=[5]),
        chunk({}, "stop", logprobs=None, token_ids=None),
    )

    assert found["logprobs"] == {"content": same["content"] * 2, "refusal": None}
    assert found["token_ids"] == [5, 5]


def test_a_reason_that_is_said_early_or_twice_is_kept() -> None:
    found = choice(
        chunk({"content": "a"}, ""), chunk({"content": "b"}, "stop"), chunk({}, None), chunk({}, "")
    )

    assert (found["finish_reason"], found["message"]["content"]) == ("stop", "ab")


def test_a_delta_that_is_a_bare_text_is_content() -> None:
    assert choice(chunk("a"), chunk("b", "stop"))["message"]["content"] == "ab"


def test_tool_calls_under_one_number_are_kept_apart_by_their_ids() -> None:
    def call(key: str) -> Body:
        function = {"name": "f", "arguments": '{"a":1}'}
        return {"tool_calls": [{"index": 0, "id": key, "type": "function", "function": function}]}

    calls = choice(chunk(call("a")), chunk(call("b"), "tool_calls"))["message"]["tool_calls"]

    assert [(part["id"], part["function"]["arguments"]) for part in calls] == [
        ("a", '{"a":1}'),
        ("b", '{"a":1}'),
    ]
    assert all("index" not in part for part in calls)


@pytest.mark.parametrize(
    ("numbers", "expected"), [([1, 0], [0, 1]), ([3, 1], [1, 3]), (["1", 0.0], [0, 1]), ([None], [0])]
)
def test_choices_are_found_by_whatever_numbers_they_have(numbers: list[Any], expected: list[int]) -> None:
    chunks = [chunk({"content": f"{number}"}, "stop", index=number) for number in numbers]

    assert [part["index"] for part in completion(*chunks)["choices"]] == expected


def test_half_a_character_waits_for_its_other_half_in_the_next_event() -> None:
    stream = (
        rb'data: {"choices":[{"index":0,"delta":{"content":"\ud83d"}}]}' + b"\n\n"
        rb'data: {"choices":[{"index":0,"delta":{"content":"\ude00 \ud83d"},"finish_reason":"stop"}]}'
        + b"\n\n"
        rb'data: {"choices":[],"note":"\ud83d","usage":null}' + b"\n\ndata: [DONE]\n\n"
    )

    found = finished(dialect("openai").assembler(), stream)

    assert found["choices"][0]["message"]["content"] == "\U0001f600 \ufffd"
    assert found["note"] == "\ufffd"


def test_a_text_completion_grows_by_its_texts() -> None:
    def piece(text: str, finish_reason: str | None = None, index: int = 0) -> Body:
        scores = {"tokens": [text], "token_logprobs": [-1.0], "text_offset": [0]}
        choice = {"index": index, "text": text, "finish_reason": finish_reason, "logprobs": scores}
        return {"id": "c", "object": "text_completion", "choices": [choice]}

    stream = sse(piece("Hel"), piece("lo"), piece("", "stop"), piece("", "length", 1), {"usage": USAGE})
    found = finished(dialect("openai").assembler(request("/v1/completions")), stream)

    assert (found["object"], found["usage"]) == ("text_completion", USAGE)
    assert [(part["text"], part["finish_reason"]) for part in found["choices"]] == [
        ("Hello", "stop"),
        ("", "length"),
    ]
    assert found["choices"][0]["logprobs"] == {
        "tokens": ["Hel", "lo", ""],
        "token_logprobs": [-1.0] * 3,
        "text_offset": [0] * 3,
    }
    assert "message" not in found["choices"][0]


RESPONSE: Body = {"id": "r", "object": "response", "status": "in_progress", "output": []}
MESSAGE_ITEM: Body = {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}


def event(name: str, **members: Any) -> Body:
    return {"type": f"response.{name}", **members}


def test_a_streamed_response_is_that_of_its_last_event() -> None:
    done = {**RESPONSE, "status": "completed", "output": [MESSAGE_ITEM]}
    stream = sse(
        event("created", response=RESPONSE),
        event("output_text.delta", delta="Hel"),
        event("output_item.done", output_index=0, item=MESSAGE_ITEM),
        event("completed", response=done),
        end=b"",
    )

    assert finished(dialect("openai").assembler(request("/v1/responses")), stream) == done


def test_items_that_the_last_event_leaves_out_are_those_of_their_own_events() -> None:
    stream = sse(
        event("output_item.added", output_index=0, item={"type": "message", "content": []}),
        event("output_item.done", output_index=0, item=MESSAGE_ITEM),
        event("completed", response={**RESPONSE, "status": "completed"}),
        end=b"",
    )

    found = finished(dialect("openai").assembler(request("/v1/responses")), stream)

    assert found["output"] == [MESSAGE_ITEM]


@pytest.mark.parametrize(
    ("name", "status", "reason"),
    [
        ("completed", "completed", "stop"),
        ("completed", "incomplete", "max_output_tokens"),
        ("done", "completed", "stop"),
    ],
)
def test_a_response_is_judged_by_its_own_status_not_by_the_name_of_its_event(
    name: str, status: str, reason: str
) -> None:
    response = {**RESPONSE, "status": status, "incomplete_details": {"reason": "max_output_tokens"}}
    assembler = dialect("openai").assembler(request("/v1/responses?a=1"))

    assert assembler.feed(sse(event(name, response=response), end=b""))
    outcome = assembler.finish()

    assert isinstance(outcome, Success)
    assert outcome.stop_reason == reason


@pytest.mark.parametrize("status", ["failed", "cancelled", "in_progress"])
def test_a_response_that_failed_is_a_failure_whatever_its_event_is_called(status: str) -> None:
    assembler = dialect("openai").assembler(request("/v1/responses"))
    response = {**RESPONSE, "status": status, "error": {"code": "server_error", "message": "oops"}}

    assert assembler.feed(sse(event("completed", response=response), end=b""))
    assert isinstance(assembler.finish(), Failure)


TEXTS = st.text(max_size=6)


@settings(deadline=None, derandomize=True, max_examples=150)
@given(data=st.data(), texts=st.lists(TEXTS, min_size=1, max_size=3), repeats=st.booleans())
def test_merged_choices_are_those_of_the_unstreamed_answer(
    data: Any, texts: list[str], repeats: bool
) -> None:
    """With any cuts, in any order, in any chunks of bytes, with or without reports in every chunk."""
    beside: Body = {"content_filter_results": SAFE} if repeats else {}
    lanes = [[chunk({"role": "assistant"}, None, index=index, **beside)] for index in range(len(texts))]
    for index, text in enumerate(texts):
        cut = data.draw(st.integers(0, len(text)))
        for piece in (text[:cut], text[cut:]):
            lanes[index].append(chunk({"content": piece}, None, index=index, **beside))
        lanes[index].append(chunk({}, "stop", index=index))
    chunks: list[Body] = []
    waiting = copy.deepcopy(lanes)
    while waiting := [lane for lane in waiting if lane]:
        chunks.append(data.draw(st.sampled_from(waiting)).pop(0))
    stream = sse(*chunks, {"choices": [], "usage": USAGE})
    step = data.draw(st.integers(1, len(stream)))
    assembler = dialect("openai").assembler()
    for start in range(0, len(stream), step):
        assembler.feed(stream[start : start + step])

    outcome = assembler.finish()

    assert isinstance(outcome, Success)
    assert json.loads(outcome.message)["choices"] == [
        {
            "index": index,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
            **beside,
        }
        for index, text in enumerate(texts)
    ]
