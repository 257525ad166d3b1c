"""The kind "a stream's pieces are merged by what is known to grow": the rules; blocks of a message."""

from __future__ import annotations

import copy
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client._wire.accumulator import MessageAccumulator
from headrace_client._wire.merging import GrowingObject, newest
from headrace_client.testing import sse
from tests.client.backends import Backend, each, entered, settle

Deltas = list[dict[str, Any]]


def merged(*deltas: dict[str, Any]) -> dict[str, Any]:
    growing = GrowingObject({})
    for delta in deltas:
        growing.add(delta)
    return growing.value


def call(index: int | None, arguments: str, **names: Any) -> dict[str, Any]:
    """A delta with a piece of one tool call."""
    name = {"name": names.pop("name")} if "name" in names else {}
    number = {} if index is None else {"index": index}
    return {"tool_calls": [{**number, **names, "function": {**name, "arguments": arguments}}]}


@pytest.mark.parametrize(
    "name",
    ["content", "reasoning", "reasoning_content", "thinking", "refusal", "text", "transcript", "arguments"],
)
def test_texts_that_are_known_to_come_in_pieces_grow(name: str) -> None:
    assert merged({name: "ha"}, {name: "ha"}, {name: ""}, {name: None}) == {name: "haha"}


@pytest.mark.parametrize(
    ("first", "second", "value"),
    [
        ("assistant", "assistant", "assistant"),
        ("safe", "low", "low"),
        ("id_1", "", "id_1"),
        ("id_1", None, "id_1"),
        (None, "id_1", "id_1"),
        (1, 2, 2),
        (False, True, True),
        ({"severity": "safe"}, {"severity": "low"}, {"severity": "low"}),
        ({"hate": {"severity": "safe"}}, {"self": {}}, {"hate": {"severity": "safe"}, "self": {}}),
        ({"a": 1}, "b", "b"),
        ("a", {"b": 1}, {"b": 1}),
        (["x"], ["x"], ["x"]),
        (["x"], ["x", "y"], ["x", "y"]),
        (["x"], ["y"], ["x", "y"]),
        (["x"], [], ["x"]),
    ],
)
def test_what_is_not_known_to_grow_is_replaced(first: object, second: object, value: object) -> None:
    assert merged({"verdict": first}, {"verdict": second}) == {"verdict": value}


@pytest.mark.parametrize("name", ["annotations", "citations", "content_filter_results", "usage"])
def test_a_report_inside_a_delta_does_not_grow(name: str) -> None:
    report = {name: {"text": "safe", "content": "safe", "inner": {"text": "safe"}}}
    parts = {name: [{"type": "url", "text": "safe"}]}

    assert merged(report, report, report) == report
    assert merged(parts, parts) == parts


@pytest.mark.parametrize(
    ("deltas", "value"),
    [
        (["a", [{"type": "x", "n": 1}]], [{"type": "text", "text": "a"}, {"type": "x", "n": 1}]),
        ([[{"type": "x", "n": 1}], "a", "b"], [{"type": "x", "n": 1}, {"type": "text", "text": "ab"}]),
        (
            ["a", {"type": "x"}, "b", ["c"]],
            [{"type": "text", "text": "a"}, {"type": "x"}, {"type": "text", "text": "b"}, "c"],
        ),
        (["", [{"type": "x"}]], [{"type": "x"}]),
        ([None, {"a": 1}, {"b": 2}], {"a": 1, "b": 2}),
        (
            [
                [{"type": "thinking", "thinking": [{"type": "text", "text": "a gree"}]}],
                [{"type": "thinking", "thinking": [{"type": "text", "text": "ting"}]}],
                "Hel",
                "lo",
            ],
            [
                {"type": "thinking", "thinking": [{"type": "text", "text": "a greeting"}]},
                {"type": "text", "text": "Hello"},
            ],
        ),
        (
            [[{"type": "text", "text": "a"}], [{"type": "text", "text": "a"}]],
            [{"type": "text", "text": "aa"}],
        ),
        (
            [
                [{"type": "text", "text": "a"}],
                [{"type": "image", "url": "u"}],
                [{"type": "image", "url": "u"}],
            ],
            [{"type": "text", "text": "a"}, {"type": "image", "url": "u"}, {"type": "image", "url": "u"}],
        ),
    ],
)
def test_a_value_that_changes_its_type_loses_nothing(deltas: list[object], value: object) -> None:
    assert merged(*({"content": delta} for delta in deltas)) == {"content": value}


def test_arguments_that_come_as_a_text_and_as_an_object_are_both_kept() -> None:
    assert merged({"arguments": "{"}, {"arguments": {"a": 1}}) == {"arguments": ["{", {"a": 1}]}
    assert merged({"arguments": ""}, {"arguments": {"a": 1}}) == {"arguments": {"a": 1}}


TOOLS: dict[str, tuple[Deltas, list[tuple[str | None, str | None, str]]]] = {
    "by number": (
        [
            call(0, "", id="a", name="f"),
            call(1, "", id="b", name="g"),
            call(0, "1"),
            call(1, "2"),
            call(0, "3"),
        ],
        [("a", "f", "13"), ("b", "g", "2")],
    ),
    "names said again": (
        [call(0, "1", id="a", name="f"), call(0, "2", id="a", name="f"), call(0, "3", id="", name="")],
        [("a", "f", "123")],
    ),
    "a new id under a used number": (
        [call(0, "1", id="a", name="f"), call(0, "2", id="b", name="f"), call(0, "3")],
        [("a", "f", "1"), ("b", "f", "23")],
    ),
    "back to an id": (
        [call(0, "1", id="a", name="f"), call(0, "2", id="b", name="f"), call(0, "3", id="a")],
        [("a", "f", "13"), ("b", "f", "2")],
    ),
    "another name under a used number": (
        [call(0, "1", name="f"), call(0, "2", name="g")],
        [(None, "f", "1"), (None, "g", "2")],
    ),
    "an id that comes late": (
        [call(0, "1", name="f"), call(0, "2", id="a"), call(0, "3", id="a")],
        [("a", "f", "123")],
    ),
    "no numbers, ids": (
        [call(None, "1", id="a", name="f"), call(None, "2", id="b", name="f"), call(None, "3", id="a")],
        [("a", "f", "13"), ("b", "f", "2")],
    ),
    "no numbers, no ids": (
        [call(None, "1", name="f"), call(None, "2"), call(None, "3", name="f")],
        [(None, "f", "12"), (None, "f", "3")],
    ),
    "each call as a whole, under one number": (
        [call(0, "{}", name="f"), call(0, '{"a":1}', name="f"), call(0, "{}", name="g")],
        [(None, "f", "{}"), (None, "f", '{"a":1}'), (None, "g", "{}")],
    ),
    "each call as a whole, under one id": (
        [call(0, "{}", id="a", name="f"), call(0, '{"a":1}', id="a", name="f")],
        [("a", "f", "{}"), ("a", "f", '{"a":1}')],
    ),
    "the whole call after its pieces": (
        [call(0, '{"a"', id="a", name="f"), call(0, ":1}"), call(0, '{"a":1}', id="a", name="f")],
        [("a", "f", '{"a":1}')],
    ),
    "a new id for each piece": (
        [call(0, "{", id="a", name="f"), call(0, '"a":1', id="b"), call(0, "}", id="c"), call(0, "", id="d")],
        [("a", "f", '{"a":1}')],
    ),
    "a new id without a name, after a whole call": (
        [call(0, "{}", id="a", name="f"), call(0, '{"a":', id="b"), call(0, "1}")],
        [("a", "f", "{}"), ("b", None, '{"a":1}')],
    ),
    "an id of blanks": (
        [call(0, '{"a"', id="a", name="f"), call(0, ":1}", id=" ")],
        [("a", "f", '{"a":1}')],
    ),
    "a known id under another number": (
        [call(0, "1", id="a", name="f"), call(1, "2", id="b", name="g"), call(5, "3", id="a")],
        [("a", "f", "13"), ("b", "g", "2")],
    ),
    "a rest under a number that no call has": (
        [call(0, "{}", id="a", name="f"), call(0, "{", id="b", name="f"), call(1, "}")],
        [("a", "f", "{}"), ("b", "f", "{}")],
    ),
    "one id under several numbers": (
        [call(0, "1", id="a", name="f"), call(1, "2", id="a", name="f"), call(1, "3", id="a")],
        [("a", "f", "1"), ("a", "f", "23")],
    ),
    "objects of nothing": (
        [call(0, "1", id="a", name="f"), {"tool_calls": [{}]}, call(0, "2")],
        [("a", "f", "12")],
    ),
    "any numbers, in the order of their starts": (
        [call(7, "1", id="a"), call(3, "2", id="b"), call(7, "3")],
        [("a", None, "13"), ("b", None, "2")],
    ),
}


@pytest.mark.parametrize(("deltas", "calls"), TOOLS.values(), ids=TOOLS)
def test_the_pieces_of_tool_calls_find_their_call(
    deltas: Deltas, calls: list[tuple[str | None, str | None, str]]
) -> None:
    found = merged(*deltas)["tool_calls"]

    assert [
        (part.get("id") or None, part["function"].get("name"), part["function"]["arguments"])
        for part in found
    ] == calls


@pytest.mark.parametrize(
    ("deltas", "value"),
    [
        (
            [
                {"audio": {"id": "x", "transcript": "a", "data": "AA"}},
                {"audio": {"data": "BB", "transcript": "b"}},
                {"audio": {"expires_at": 5}},
            ],
            {"audio": {"id": "x", "transcript": "ab", "data": "AABB", "expires_at": 5}},
        ),
        (
            [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}],
            {"function_call": {"name": "f", "arguments": "{}"}},
        ),
        (
            [
                {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": "a"}}]},
                {"tool_calls": [{"index": 0, "custom": {"input": "b"}}]},
            ],
            {"tool_calls": [{"index": 0, "type": "custom", "custom": {"name": "f", "input": "ab"}}]},
        ),
        (
            [
                {"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0, "format": "x"}]},
                {"reasoning_details": [{"type": "reasoning.text", "text": "b", "index": 0, "format": "x"}]},
                {"reasoning_details": [{"type": "reasoning.encrypted", "data": "c", "index": 0}]},
            ],
            {
                "reasoning_details": [
                    {"type": "reasoning.text", "text": "ab", "index": 0, "format": "x"},
                    {"type": "reasoning.encrypted", "data": "c", "index": 0},
                ]
            },
        ),
        (
            [
                {"thinking_blocks": [{"type": "thinking", "thinking": "a"}]},
                {"thinking_blocks": [{"type": "thinking", "thinking": "b"}]},
                {"thinking_blocks": [{"type": "thinking", "thinking": "", "signature": "s"}]},
            ],
            {
                "thinking_blocks": [
                    {"type": "thinking", "thinking": "ab"},
                    {"type": "thinking", "thinking": "", "signature": "s"},
                ]
            },
        ),
        (
            [{"images": [{"index": 0, "url": "u"}]}, {"images": [{"index": 1, "url": "v"}]}],
            {"images": [{"index": 0, "url": "u"}, {"index": 1, "url": "v"}]},
        ),
        ([{"token_ids": [1, 1]}, {"token_ids": [1]}], {"token_ids": [1, 1, 1]}),
        ([{"content": "\ud83d"}, {"content": "\ude00"}], {"content": "\U0001f600"}),
        ([{"content": "a\ud83d"}, {"content": "b"}], {"content": "a\ufffdb"}),
    ],
    ids=[
        "audio", "function_call", "custom", "reasoning_details", "thinking_blocks", "images", "token_ids",
        "two halves of a character", "half a character",
    ],
)  # fmt: skip
def test_what_else_grows(deltas: Deltas, value: object) -> None:
    assert merged(*deltas) == value


def test_the_newest_value_of_an_object_holds_member_by_member() -> None:
    first = {"hate": {"severity": "safe", "filtered": False}, "note": "a"}
    second = {"hate": {"severity": "low"}, "violence": {}, "note": None}

    value = newest(first, second)

    assert value == {"hate": {"severity": "low", "filtered": False}, "violence": {}, "note": "a"}
    assert first["hate"] == {"severity": "safe", "filtered": False}


TEXTS = st.text(max_size=8)
ANSWERS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXTS},
    optional={
        "reasoning_content": TEXTS,
        "refusal": TEXTS,
        "tool_calls": st.lists(
            st.fixed_dictionaries({"id": st.uuids().map(str), "name": TEXTS, "arguments": TEXTS}), max_size=3
        ),
        "audio": st.fixed_dictionaries({"id": TEXTS, "data": TEXTS, "transcript": TEXTS}),
    },
)


def pieces_of(text: str, draw: Any) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]


def in_pieces(answer: dict[str, Any], draw: Any) -> Deltas:
    """The deltas of an answer: each text is cut anywhere, the pieces of all are mixed."""
    lanes: list[Deltas] = [[{"role": answer["role"]}]]
    texts = [name for name in ("content", "reasoning_content", "refusal") if name in answer]
    lanes += [[{name: piece} for piece in pieces_of(answer[name], draw)] for name in texts]
    for index, tool in enumerate(answer.get("tool_calls", ())):
        begin = call(index, "", id=tool["id"], name=tool["name"])
        lanes.append([begin, *(call(index, piece) for piece in pieces_of(tool["arguments"], draw))])
    if "audio" in answer:
        for name in ("data", "transcript"):
            begin = {"audio": {"id": answer["audio"]["id"]}}
            pieces = pieces_of(answer["audio"][name], draw)
            lanes.append([begin, *({"audio": {name: piece}} for piece in pieces)])
    deltas: Deltas = []
    while lanes := [lane for lane in lanes if lane]:
        deltas.append(draw(st.sampled_from(lanes)).pop(0))
    return deltas


@settings(deadline=None, derandomize=True, max_examples=200)
@given(data=st.data(), answer=ANSWERS)
def test_however_an_answer_is_cut_and_mixed_it_is_the_unstreamed_one(
    data: Any, answer: dict[str, Any]
) -> None:
    deltas = in_pieces(answer, data.draw)
    before = copy.deepcopy(deltas)

    value = merged(*deltas)

    tools = {part["index"]: part for part in value.pop("tool_calls", ())}
    expected = {name: part for name, part in answer.items() if name != "tool_calls"}
    assert value == expected
    assert [
        {"id": part["id"], "name": part["function"]["name"], "arguments": part["function"]["arguments"]}
        for _, part in sorted(tools.items())
    ] == answer.get("tool_calls", [])
    assert deltas == before, "the events belong to the caller"


START: dict[str, Any] = {
    "type": "message_start",
    "message": {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []},
}
STOP: dict[str, Any] = {"type": "message_stop"}


def begin(index: object, **block: Any) -> dict[str, Any]:
    block = block or {"type": "text", "text": ""}
    return {"type": "content_block_start", "index": index, "content_block": block}


def text(index: object, text: str, **more: Any) -> dict[str, Any]:
    delta = {"type": "text_delta", "text": text, **more}
    return {"type": "content_block_delta", "index": index, "delta": delta}


def end(index: object) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def blocks(*events: dict[str, Any]) -> list[dict[str, Any]]:
    accumulator = MessageAccumulator()
    for event in (START, *events):
        accumulator.add(event)
    return accumulator.message["content"]


BLOCKS: dict[str, tuple[Deltas, list[str]]] = {
    "a gap": ([begin(0), text(0, "a"), end(0), begin(2), text(2, "b")], ["a", "b"]),
    "from 1": ([begin(1), text(1, "a"), begin(2), text(2, "b")], ["a", "b"]),
    "1 before 0": ([begin(1), text(1, "a"), begin(0), text(0, "b"), text(1, "c")], ["ac", "b"]),
    "no start": ([text(0, "a"), text(0, "b"), end(0)], ["ab"]),
    "a start that comes late": ([text(0, "a"), begin(0), text(0, "b")], ["ab"]),
    "a used number": ([begin(0), text(0, "a"), end(0), begin(0), text(0, "b")], ["a", "b"]),
    "a used number, not stopped": ([begin(0), text(0, "a"), begin(0), text(0, "b")], ["a", "b"]),
    "a start said twice": ([begin(0), begin(0), text(0, "a")], ["a"]),
    "no numbers": ([begin(None), text(None, "a"), begin(None), text(None, "b")], ["a", "b"]),
    "numbers of other types": (
        [begin("0"), text(0, "a"), text(0.0, "b"), begin([1]), text([1], "c")],
        ["ab", "c"],
    ),
    "negative": ([begin(-1), text(-1, "a")], ["a"]),
}


@pytest.mark.parametrize(("events", "texts"), BLOCKS.values(), ids=BLOCKS)
def test_blocks_are_kept_in_the_order_of_their_starts(events: Deltas, texts: list[str]) -> None:
    assert [block["text"] for block in blocks(*events)] == texts


def test_a_new_id_under_a_used_index_is_a_new_block_and_the_same_id_is_not() -> None:
    tool: dict[str, Any] = {"type": "tool_use", "name": "f", "input": {}}
    piece = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta"}}

    found = blocks(
        begin(0, **tool, id="a"),
        {**piece, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
        begin(0, **tool, id="a"),
        {**piece, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
        begin(0, **tool, id="b"),
        {**piece, "delta": {"type": "input_json_delta", "partial_json": {"b": 2}}},
    )

    assert [(block["id"], block["input"]) for block in found] == [("a", {"a": 1}), ("b", {"b": 2})]


@pytest.mark.parametrize(
    ("delta", "block"),
    [
        ({"type": "thinking_delta", "thinking": "a"}, {"type": "thinking", "thinking": "a", "signature": ""}),
        (
            {"type": "signature_delta", "signature": "s"},
            {"type": "thinking", "thinking": "", "signature": "s"},
        ),
        ({"type": "input_json_delta", "partial_json": "{}"}, {"type": "tool_use", "input": {}}),
        (
            {"type": "citations_delta", "citation": {"a": 1}},
            {"type": "text", "text": "", "citations": [{"a": 1}]},
        ),
        ({"type": "hologram_delta", "hologram": "h"}, {"type": "hologram", "hologram": "h"}),
        ({"text": "a"}, {"type": "text", "text": "a"}),
    ],
)
def test_a_delta_for_a_block_that_never_started_starts_it(delta: dict[str, Any], block: object) -> None:
    assert blocks({"type": "content_block_delta", "index": 4, "delta": delta}) == [block]


def test_what_stands_next_to_a_piece_is_replaced() -> None:
    said = {"severity": "safe", "filter": {"text": "safe"}}

    found = blocks(begin(0), text(0, "a", **said), text(0, "a", **said))

    assert found == [{"type": "text", "text": "aa", **said}]


def test_after_message_stop_nothing_changes_and_a_second_start_begins_anew() -> None:
    accumulator = MessageAccumulator()
    other = {"type": "message_start", "message": {**START["message"], "id": "other"}}
    for event in (other, begin(0), text(0, "other"), START, begin(0), text(0, "mine"), STOP):
        accumulator.add(event)
    whole = json.dumps(accumulator.message)

    for event in (text(0, "more"), other, begin(0), text(0, "other"), STOP):
        accumulator.add(event)

    assert json.dumps(accumulator.message) == whole
    assert (accumulator.message["id"], accumulator.message["content"]) == (
        "msg_1",
        [{"type": "text", "text": "mine"}],
    )


def test_halves_of_a_character_meet_and_a_lone_one_is_replaced() -> None:
    assert blocks(begin(0), text(0, "a\ud83d"), text(0, "\ude00"))[0]["text"] == "a\U0001f600"
    assert blocks(begin(0), text(0, "a\ud83d"))[0]["text"] == "a\ufffd"
    assert blocks(begin(0, type="text", text="\ud83d"))[0]["text"] == "\ufffd"


@pytest.mark.anyio
@pytest.mark.parametrize(("events", "texts"), BLOCKS.values(), ids=BLOCKS)
async def test_the_events_of_a_message_stream_find_their_block(
    backend: Backend, events: Deltas, texts: list[str]
) -> None:
    client, _ = backend.scripted(sse(*((event["type"], event) for event in (START, *events, end(9), STOP))))

    async with entered(client.messages.stream(model="m", max_tokens=9, messages=[])) as stream:
        seen = [event async for event in each(stream)]
        message = await settle(stream.get_final_message())

    assert [block.text for block in message.content] == texts
    pieces = [event for event in seen if event.type == "text"]
    assert "".join(event.text for event in pieces) == "".join(
        event["delta"]["text"] for event in events if "delta" in event
    )
    assert {event.snapshot for event in pieces} >= set(texts)
