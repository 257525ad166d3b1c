"""Events of a Messages stream become a message, without losing anything unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client._wire.accumulator import MessageAccumulator, UnexpectedEventError
from headrace_client._wire.partial_json import PartialJSON

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
        "usage": {"input_tokens": 11, "output_tokens": 1, "cache_read_input_tokens": 5},
    },
}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def stop(index: int) -> dict[str, Any]:
    return {"type": "content_block_stop", "index": index}


def accumulated(*events: dict[str, Any]) -> dict[str, Any]:
    accumulator = MessageAccumulator()
    for event in (START, *events):
        accumulator.add(event)
    return accumulator.message


def test_text() -> None:
    message = accumulated(
        start(0, type="text", text=""),
        delta(0, type="text_delta", text="Hel"),
        {"type": "ping"},
        delta(0, type="text_delta", text="lo"),
        stop(0),
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 6, "input_tokens": None},
        },
        {"type": "message_stop"},
    )

    assert message == {
        **START["message"],
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 11, "output_tokens": 6, "cache_read_input_tokens": 5},
    }


def test_complete_only_after_message_stop() -> None:
    accumulator = MessageAccumulator()
    accumulator.add(START)
    before = accumulator.complete

    accumulator.add({"type": "message_stop"})

    assert (before, accumulator.complete) == (False, True)


def test_thinking_signature_and_citations() -> None:
    message = accumulated(
        start(0, type="thinking", thinking="", signature=""),
        delta(0, type="thinking_delta", thinking="a"),
        delta(0, type="thinking_delta", thinking="b"),
        delta(0, type="signature_delta", signature="sig"),
        start(1, type="text", text="", citations=None),
        delta(1, type="citations_delta", citation={"cited_text": "x"}),
        delta(1, type="citations_delta", citation={"cited_text": "y"}),
    )

    assert message["content"] == [
        {"type": "thinking", "thinking": "ab", "signature": "sig"},
        {"type": "text", "text": "", "citations": [{"cited_text": "x"}, {"cited_text": "y"}]},
    ]


@pytest.mark.parametrize(
    ("parts", "value"),
    [
        ([], {}),
        ([""], {}),
        (["", '{"ci', 'ty": "Par', 'is", "n": 1', "2}"], {"city": "Paris", "n": 12}),
        (['{"city": "Paris", "n": 1'], {"city": "Paris"}),
        (['{"city": nonsense, '], {"INVALID_JSON": '{"city": nonsense, '}),
        (['{"a": 1}}'], {"INVALID_JSON": '{"a": 1}}'}),
    ],
)
@pytest.mark.parametrize("closed", [True, False])
def test_tool_input(parts: list[str], value: object, closed: bool) -> None:
    """Complete, cut off by max_tokens (its complete members), or not JSON at all (kept as text)."""
    message = accumulated(
        start(0, type="tool_use", id="t", name="weather", input={}),
        *(delta(0, type="input_json_delta", partial_json=part) for part in parts),
        *([stop(0)] * closed),
    )

    assert message["content"][0]["input"] == value


def test_unknown_blocks_deltas_and_fields_survive() -> None:
    message = accumulated(
        start(0, type="hologram", frames=[1], title="a", depth=1, extra={"k": 1}),
        delta(0, type="hologram_delta", frames=[2], hologram="h", title="b", depth=2, new=True),
        delta(0, type="hologram_delta", hologram="i"),
        delta(0, type="text_delta", text="c"),
        stop(0),
        {"type": "from_the_future", "index": 9},
        {
            "type": "message_delta",
            "delta": {"container": {"id": "c"}},
            "usage": None,
            "context_management": {"x": 1},
        },
    )

    assert message["content"] == [
        {
            "type": "hologram",
            "frames": [1, 2],
            "title": "b",
            "hologram": "hi",
            "depth": 2,
            "extra": {"k": 1},
            "new": True,
            "text": "c",
        }
    ]
    assert message["container"] == {"id": "c"}
    assert message["context_management"] == {"x": 1}


def test_events_are_never_changed() -> None:
    events = [
        START,
        start(0, type="text", text="", citations=[]),
        delta(0, type="text_delta", text="a"),
        delta(0, type="citations_delta", citation={}),
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    ]
    before = json.dumps(events)

    accumulated(*events[1:])

    assert json.dumps(events) == before


def test_a_message_may_start_with_content_which_stays_the_events_own() -> None:
    event = {"type": "message_start", "message": {"content": [{"type": "text", "text": "a"}]}}
    accumulator = MessageAccumulator()

    accumulator.add(event)
    accumulator.add(delta(0, type="text_delta", text="b"))

    assert accumulator.message["content"] == [{"type": "text", "text": "ab"}]
    assert event["message"] == {"content": [{"type": "text", "text": "a"}]}


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": 0, "content_block": 5},
        {"type": "content_block_delta", "index": 0, "delta": 5},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": 5}},
        {"type": "message_start", "message": "?"},
        {"type": "message_delta", "delta": "?"},
    ],
)
def test_a_malformed_event_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(UnexpectedEventError):
        accumulated(event)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_stop", "index": 3},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        {"type": "content_block_delta", "index": 0, "delta": {}},
        {"type": "content_block_delta", "index": 0},
        {"type": "message_start", "message": None},
        {"type": "message_delta", "delta": None, "usage": None},
        {},
    ],
)
def test_an_event_that_carries_nothing_changes_nothing(event: dict[str, Any]) -> None:
    assert accumulated(event) == accumulated()


def test_no_event_precedes_message_start() -> None:
    accumulator = MessageAccumulator()

    with pytest.raises(UnexpectedEventError, match="did not begin with message_start"):
        accumulator.add(start(0, type="text", text=""))


def test_a_block_can_be_read_as_it_grows() -> None:
    accumulator = MessageAccumulator()
    accumulator.add(START)
    accumulator.add(start(0, type="text", text=""))
    seen: list[str] = []

    for text in ("a", "b", "c"):
        accumulator.add(delta(0, type="text_delta", text=text))
        seen.append(accumulator.block(0)["text"])

    assert seen == ["a", "ab", "abc"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" ", None),
        ("{", {}),
        ('{"a', {}),
        ('{"a"', {}),
        ('{"a":', {}),
        ('{"a": "b', {}),
        ('{"a": "b"', {"a": "b"}),
        ('{"a": "b\\"', {}),
        ('{"a": [1, 2', {"a": [1]}),
        ('{"a": [1, 2 ]', {"a": [1, 2]}),
        ('{"a": {"b": [true, "}"', {"a": {"b": [True, "}"]}}),
        ('{"a": 1, "b": tru', {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ('{"a": 1} ', {"a": 1}),
    ],
)
def test_partial_json(text: str, value: object) -> None:
    parts = PartialJSON()
    parts.feed(text)

    assert parts.value() == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-99, 99) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, derandomize=True)
@given(value=st.dictionaries(st.text(max_size=3), json_values, max_size=4), indent=st.sampled_from([None, 2]))
def test_every_prefix_of_json_has_a_value(value: dict[str, Any], indent: int | None) -> None:
    """Fed by character, each prefix decodes, and the whole text gives the whole value."""
    parts = PartialJSON()

    for character in json.dumps(value, indent=indent):
        parts.feed(character)
        assert isinstance(parts.value(), dict)

    assert parts.value() == value
