"""Usage is read leniently: an answer that is there and whole is never lost because of its accounting.

A count is a number in any form, rounded up; everything else is unknown, and never 0.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.dialects._usage import (
    MAX_TOKENS,
    ChatUsage,
    MessagesUsage,
    chat_usage,
    messages_usage,
    read_chat_usage,
    read_embeddings_usage,
    read_messages_usage,
)
from headrace.dialects.records import read_usage
from headrace.job import UNKNOWN_USAGE, Success, Usage
from headrace_client.lowlevel import Response

from .samples import dialect

COUNTS = [
    ("5", 5),
    ("5.0", 5),
    ('"5"', 5),
    ('"5.0"', 5),
    ('" 5 "', 5),
    ("37.25", 38),
    ('"37.25"', 38),
    ("5e0", 5),
    ("0.1", 1),
    (str(MAX_TOKENS), MAX_TOKENS),
    (str(MAX_TOKENS + 1), None),
    ("1e300", None),
    ('"1e999"', None),
    ("9" * 400, None),
    ("-1", None),
    ("-0.5", None),
    ('"-1"', None),
    ("true", None),
    ("null", None),
    ("NaN", None),
    ("Infinity", None),
    ('"NaN"', None),
    ('"inf"', None),
    ('"many"', None),
    ('""', None),
    ('"1_000"', None),
    ('"1,000"', None),
    ('"\\u0665"', None),  # a digit, but not one that JSON knows
    ("[5]", None),
    ('{"tokens":5}', None),
]
NO_USAGE = ["null", "[]", "{}", '""', '"none"', "0", "false", "[{}]", '{"total_tokens":7}', "{", "", "\\"]
INSIDE_AN_ANSWER = [text for text in NO_USAGE if text not in ("{", "", "\\")]


@pytest.mark.parametrize(("text", "count"), COUNTS)
def test_a_count_is_a_number_in_any_form_or_unknown(text: str, count: int | None) -> None:
    chat = read_chat_usage(b'{"prompt_tokens":7,"completion_tokens":%b}' % text.encode())
    prompt = read_chat_usage(b'{"prompt_tokens":%b,"completion_tokens":7}' % text.encode())
    response = read_chat_usage(b'{"input_tokens":7,"output_tokens":%b}' % text.encode())
    message = read_messages_usage(b'{"input_tokens":7,"output_tokens":%b}' % text.encode())

    assert (chat.input, chat.output) == (7, count)
    assert (prompt.input, prompt.output) == (count, 7)
    assert (response.input, response.output) == (7, count)
    assert (message.input, message.output) == (7, count)


@pytest.mark.parametrize("text", NO_USAGE)
def test_without_usage_everything_is_unknown(text: str) -> None:
    assert read_chat_usage(text.encode()) == UNKNOWN_USAGE
    assert read_messages_usage(text.encode()) == UNKNOWN_USAGE


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, UNKNOWN_USAGE),
        ({"prompt_tokens": 0, "completion_tokens": 3}, Usage(input=None, output=3)),
        ({"prompt_tokens": 3, "completion_tokens": 0}, Usage(input=3)),
        ({"prompt_tokens": 3}, Usage(input=3, output=None)),
        ({"completion_tokens": 3}, Usage(input=None, output=3)),
        (
            {"prompt_tokens": 0, "completion_tokens": 0, "input_tokens": 3, "output_tokens": 4},
            Usage(input=3, output=4),
        ),
        (
            {"prompt_tokens": 3, "completion_tokens": 4, "input_tokens": 0, "output_tokens": 0},
            Usage(input=3, output=4),
        ),
        ({"prompt_tokens": None, "input_tokens": "3", "output_tokens": 4.5}, Usage(input=3, output=5)),
    ],
)
def test_a_server_that_reports_zero_for_a_prompt_does_not_count(
    usage: dict[str, Any], expected: Usage
) -> None:
    assert read_chat_usage(json.dumps(usage).encode()) == expected
    assert chat_usage_of({**usage, "object": "chat.completion"}) == expected


@pytest.mark.parametrize(
    ("total", "reasoning", "output"),
    [
        (110, 100, 105),
        (10, 100, 5),
        (110, 5, 5),
        (110, None, 5),
        ("110.0", "100", 105),
        (None, 100, 5),
        (-1, 100, 5),
    ],
)
def test_reasoning_that_is_not_part_of_the_completion_is_output_if_the_total_says_so(
    total: object, reasoning: object, output: int
) -> None:
    usage = {
        "prompt_tokens": 5,
        "completion_tokens": 5,
        "total_tokens": total,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }

    assert read_chat_usage(json.dumps(usage).encode()) == Usage(input=5, output=output)
    assert chat_usage_of(usage) == Usage(input=5, output=output)


@pytest.mark.parametrize("details", ["prompt_tokens_details", "input_tokens_details"])
@pytest.mark.parametrize(
    ("cached", "expected"),
    [
        ({"cached_tokens": 4}, Usage(input=6, cache_read=4, output=1)),
        ({"cached_tokens": "4"}, Usage(input=6, cache_read=4, output=1)),
        (
            {"cached_tokens": 4, "cache_write_tokens": 5},
            Usage(input=1, cache_read=4, cache_creation=5, output=1),
        ),
        (
            {"cached_tokens": 4, "cache_creation_tokens": 5},
            Usage(input=1, cache_read=4, cache_creation=5, output=1),
        ),
        ({"cached_tokens": None}, Usage(input=10, output=1)),
        ({"cached_tokens": 11}, Usage(input=10, output=1)),
        ({"cached_tokens": -4}, Usage(input=10, output=1)),
        ({"cached_tokens": "many"}, Usage(input=10, output=1)),
        ({"cached_tokens": [4]}, Usage(input=10, output=1)),
        ({"cached_tokens": 6, "cache_write_tokens": 5}, Usage(input=5, cache_creation=5, output=1)),
        ({"cached_tokens": 4, "cache_write_tokens": "many"}, Usage(input=None, output=1)),
        ({"cache_write_tokens": 11}, Usage(input=None, output=1)),
        ({"cache_write_tokens": -1}, Usage(input=None, output=1)),
        ([], Usage(input=10, output=1)),
        ("none", Usage(input=10, output=1)),
        (None, Usage(input=10, output=1)),
        (4, Usage(input=10, output=1)),
    ],
)
def test_a_nonsense_count_of_cached_tokens_never_makes_a_prompt_cheaper(
    details: str, cached: object, expected: Usage
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 1, details: cached}

    assert read_chat_usage(json.dumps(usage).encode()) == expected
    assert chat_usage_of(usage) == expected


@pytest.mark.parametrize(
    ("cache", "expected"),
    [
        ({"cache_read_input_tokens": 4}, Usage(input=10, cache_read=4, output=1)),
        ({"cache_read_input_tokens": "4"}, Usage(input=10, cache_read=4, output=1)),
        ({"cache_read_input_tokens": -4}, Usage(input=None, output=1)),
        ({"cache_read_input_tokens": []}, Usage(input=None, output=1)),
        ({"cache_creation_input_tokens": 4}, Usage(input=10, cache_creation=4, output=1)),
        ({"cache_creation_input_tokens": "some"}, Usage(input=None, output=1)),
        (
            {
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
            },
            Usage(input=10, cache_creation=7, cache_creation_1h=3, output=1),
        ),
        (
            {"cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3}},
            Usage(input=10, cache_creation=7, cache_creation_1h=3, output=1),
        ),
        (
            {
                "cache_creation_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": "?"},
            },
            Usage(input=10, cache_creation=7, cache_creation_1h=3, output=1),
        ),
        (
            {"cache_creation_input_tokens": 2, "cache_creation": {"ephemeral_1h_input_tokens": 3}},
            Usage(input=10, cache_creation=3, cache_creation_1h=3, output=1),
        ),
        ({"cache_creation": []}, Usage(input=10, output=1)),
        ({"cache_creation": None, "cache_read_input_tokens": None}, Usage(input=10, output=1)),
        ({"service_tier": "batch"}, Usage(input=10, output=1, service_tier="batch")),
        ({"service_tier": 5}, Usage(input=10, output=1)),
        ({"server_tool_use": "?", "inference_geo": 3}, Usage(input=10, output=1)),
    ],
)
def test_the_cached_tokens_of_a_message_are_counted_besides_its_input(
    cache: dict[str, Any], expected: Usage
) -> None:
    usage = {"input_tokens": 10, "output_tokens": 1, **cache}

    assert read_messages_usage(json.dumps(usage).encode()) == expected
    assert success("anthropic", message(json.dumps(usage))).usage == expected


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "total_tokens": 5}, Usage(input=5)),
        ({"total_tokens": 5}, Usage(input=5)),
        ({"prompt_tokens": "5"}, Usage(input=5)),
        ({"prompt_tokens": 0, "total_tokens": 0}, Usage(input=None)),
        ({"prompt_tokens": -5}, Usage(input=None)),
        (None, Usage(input=None)),
        ([], Usage(input=None)),
    ],
)
def test_embeddings_have_no_output_tokens_rather_than_an_unknown_number(
    usage: object, expected: Usage
) -> None:
    body: dict[str, object] = {"object": "list", "data": [{"embedding": [0.1]}], "model": "m", "usage": usage}

    assert read_embeddings_usage(json.dumps(usage).encode()) == expected
    assert success("openai", json.dumps(body)).usage == expected


@pytest.mark.parametrize(
    ("tier", "named"),
    [('"flex"', "flex"), ('"Priority "', "priority"), ("null", None), ("{}", None), ("7", None)],
)
def test_the_tier_that_served_a_completion_is_read_from_its_body(tier: str, named: str | None) -> None:
    assert read_chat_usage(b'{"prompt_tokens":5,"completion_tokens":2}', tier.encode()).service_tier == named


def test_the_usage_of_a_groq_stream_may_be_elsewhere() -> None:
    groq = b'{"id":"req_1","usage":{"prompt_tokens":5,"completion_tokens":2}}'
    usage = read_chat_usage(b"null", x_groq=groq)

    assert usage == Usage(input=5, output=2)
    assert read_chat_usage(b"[]", x_groq=b'"none"') == UNKNOWN_USAGE


@pytest.mark.parametrize("text", [text for text, _ in COUNTS if text not in ("NaN", "Infinity", "9" * 400)])
def test_no_count_costs_an_answer(text: str) -> None:
    for usage in (f'{{"prompt_tokens":{text},"completion_tokens":2}}', f'{{"completion_tokens":{text}}}'):
        assert success("openai", completion(usage)).stop_reason == "stop"
    for usage in (f'{{"input_tokens":{text},"output_tokens":2}}', f'{{"output_tokens":{text}}}'):
        assert success("anthropic", message(usage)).stop_reason == "end_turn"


@pytest.mark.parametrize("text", INSIDE_AN_ANSWER)
def test_no_shape_of_usage_costs_an_answer(text: str) -> None:
    assert success("openai", completion(text)).usage == UNKNOWN_USAGE
    assert success("anthropic", message(text)).usage == UNKNOWN_USAGE


def test_a_message_may_have_no_usage_at_all() -> None:
    body = '{"id":"msg_1","type":"message","content":[{"type":"text","text":"Hi"}],"stop_reason":"end_turn"}'

    assert success("anthropic", body).usage == UNKNOWN_USAGE


@pytest.mark.parametrize("text", ['{"prompt_tokens":5.0,"completion_tokens":"2"}', "null"])
def test_records_are_read_back_in_the_same_way(text: str) -> None:
    body = completion(text)
    record = f'{{"custom_id":"a","response":{{"status_code":200,"body":{body}}},"headrace":{{}}}}'

    assert read_usage(record.encode()).usage == success("openai", body).usage


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = [
    "prompt_tokens",
    "completion_tokens",
    "total_tokens",
    "input_tokens",
    "output_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "input_tokens_details",
    "cache_creation",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "service_tier",
]
DETAILS = st.dictionaries(
    st.sampled_from(
        [
            "cached_tokens",
            "cache_write_tokens",
            "reasoning_tokens",
            "ephemeral_5m_input_tokens",
            "ephemeral_1h_input_tokens",
        ]
    ),
    JSON | st.integers(-1, 20),
)
USAGES = JSON | st.dictionaries(st.sampled_from(NAMES), JSON | DETAILS | st.integers(-1, 20))


@given(USAGES)
def test_any_usage_gives_sensible_counts(value: object) -> None:
    raw = json.dumps(value).encode()

    for usage in (read_chat_usage(raw), read_messages_usage(raw), read_embeddings_usage(raw)):
        counts = (usage.cache_read, usage.cache_creation, usage.cache_creation_1h)
        known = [count for count in (usage.input, usage.output, *counts) if count is not None]
        assert all(type(count) is int and 0 <= count <= 3 * MAX_TOKENS for count in known)
        assert usage.cache_creation_1h <= usage.cache_creation


@given(st.binary(max_size=30))
def test_any_bytes_give_unknown_counts_rather_than_an_error(raw: bytes) -> None:
    assert read_chat_usage(raw).output is None
    assert read_messages_usage(raw).output is None


@given(USAGES)
def test_the_fast_reader_agrees_with_the_lenient_one(value: object) -> None:
    raw = json.dumps(value).encode()
    try:
        strict = msgspec.json.decode(raw, type=ChatUsage)
    except msgspec.DecodeError:
        pass
    else:
        assert chat_usage(strict) == read_chat_usage(raw)
    try:
        message_usage = msgspec.json.decode(raw, type=MessagesUsage)
    except msgspec.DecodeError:
        return
    fast, lenient = messages_usage(message_usage), read_messages_usage(raw)
    assert msgspec.structs.replace(fast, service_tier=None) == msgspec.structs.replace(
        lenient, service_tier=None
    )


@given(st.floats(0, 1e9))
def test_a_fraction_is_never_rounded_down(count: float) -> None:
    usage = read_chat_usage(json.dumps({"prompt_tokens": 1, "completion_tokens": count}).encode())

    assert usage.output == math.ceil(count)


# -- helpers


def completion(usage: str) -> str:
    choice = '{"index":0,"message":{"role":"assistant","content":"Hi"},"finish_reason":"stop"}'
    return f'{{"id":"c","object":"chat.completion","model":"m","choices":[{choice}],"usage":{usage}}}'


def message(usage: str) -> str:
    content = '[{"type":"text","text":"Hi"}]'
    reason = '"stop_reason":"end_turn"'
    return f'{{"id":"m","type":"message","model":"m","content":{content},{reason},"usage":{usage}}}'


def chat_usage_of(usage: dict[str, Any]) -> Usage:
    return success("openai", completion(json.dumps(usage))).usage


def success(name: str, body: str) -> Success:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n"
    outcome = dialect(name).judge(
        Response(status=200, head=head, body=body.encode(), started_at=0, first_byte_at=0, finished_at=0)
    )
    assert isinstance(outcome, Success), outcome
    return outcome
