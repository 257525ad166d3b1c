"""The decoder of server-sent events and of JSON lines."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace_client._wire.sse import LineDecoder, ServerSentEvent, SSEDecoder
from headrace_client.transport.errors import ResponseTooLarge


def decode(*chunks: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def test_name_and_data() -> None:
    assert decode(b'event: completion\ndata: {"foo":true}\n\n') == [
        ServerSentEvent(event="completion", data='{"foo":true}')
    ]


def test_an_event_without_a_name_has_none() -> None:
    (event,) = decode(b'data: {"foo":true}\n\n')

    assert event.event is None
    assert event.json() == {"foo": True}


def test_an_event_without_data_has_empty_data() -> None:
    assert decode(b"event: ping\n\n") == [ServerSentEvent(event="ping", data="")]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_every_line_end(end: bytes) -> None:
    body = b"event: a" + end + b"data: 1" + end + b"data: 2" + end + end + b"data: 3" + end + end

    assert decode(body) == [ServerSentEvent(event="a", data="1\n2"), ServerSentEvent(data="3")]


def test_a_carriage_return_ends_the_event_before_the_next_chunk() -> None:
    """The line feed that may follow could be minutes away."""
    decoder = SSEDecoder()

    assert decoder.feed(b"data: 1\r\r") == [ServerSentEvent(data="1")]
    assert decoder.feed(b"\ndata: 2\r") == []
    assert decoder.feed(b"\n\r\n") == [ServerSentEvent(data="2")]


def test_unicode_line_separators_do_not_end_a_line() -> None:
    text = "a\u2028b\u2029c\x85d\x0be\x0cf"

    (event,) = decode(f"data: {text}\n\n".encode())

    assert event.data == text


def test_a_character_may_span_chunks() -> None:
    body = "data: 北京\n\n".encode()

    assert decode(*(body[i : i + 1] for i in range(len(body)))) == [ServerSentEvent(data="北京")]


def test_invalid_utf8_is_replaced() -> None:
    assert decode(b"data: \xff\n\n") == [ServerSentEvent(data="\N{REPLACEMENT CHARACTER}")]


@pytest.mark.parametrize(
    ("field", "data"),
    [
        (b"data:x", "x"),
        (b"data: x", "x"),
        (b"data:  x", " x"),
        (b"data: x:y", "x:y"),
        (b"data", ""),
        (b"data:", ""),
    ],
)
def test_one_leading_space_is_dropped_and_a_missing_colon_means_no_value(field: bytes, data: str) -> None:
    assert decode(field + b"\n\n") == [ServerSentEvent(data=data)]


def test_empty_data_lines_are_kept_as_newlines() -> None:
    assert decode(b"data: {\ndata:\ndata\ndata: }\n\n") == [ServerSentEvent(data="{\n\n\n}")]


def test_comments_and_unknown_fields_are_not_events() -> None:
    assert decode(b": keep-alive\n\n\n\nfoo: bar\n\n: x\ndata: 1\nDATA: 2\n\n") == [ServerSentEvent(data="1")]


def test_the_id_is_kept_until_the_next_one() -> None:
    body = b"id: 1\ndata: a\n\ndata: b\n\nid: bad\0\ndata: c\n\nid\ndata: d\n\n"

    assert [event.id for event in decode(body)] == ["1", "1", "1", ""]


def test_extra_blank_lines_after_an_id_give_no_events() -> None:
    assert len(decode(b"id: 1\ndata: a\n\n\n\n\n")) == 1


@pytest.mark.parametrize(
    ("value", "retry"), [(b"3000", 3000), (b"x", None), (b"-1", None), (b"1.5", None), (b"9" * 5000, None)]
)
def test_retry_is_a_whole_number_or_ignored(value: bytes, retry: int | None) -> None:
    (event,) = decode(b"data: 1\nretry: " + value + b"\n\n")

    assert event.retry == retry


def test_a_byte_order_mark_is_skipped_at_the_start_only() -> None:
    """In the reference SDK it becomes part of the first field's name."""
    mark = b"\xef\xbb\xbf"

    assert decode(mark[:1], mark[1:] + b"data: 1\n\ndata: 2\n\n" + mark + b"data: 3\n\n") == [
        ServerSentEvent(data="1"),
        ServerSentEvent(data="2"),
    ]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r"])
def test_a_last_event_without_its_blank_line_comes_at_the_end(end: bytes) -> None:
    decoder = SSEDecoder()

    before = decoder.feed(b"data: 1\n\nevent: a\ndata: 2" + end)
    peeked = decoder.peek()

    assert before == [ServerSentEvent(data="1")]
    assert peeked == decoder.finish() == [ServerSentEvent(event="a", data="2")]
    assert decoder.finish() == decoder.peek() == []


@pytest.mark.parametrize("body", [b"", b"data: 1\n\n", b": comment", b"nonsense\n"])
def test_at_the_end_there_may_be_no_event_left(body: bytes) -> None:
    decoder = SSEDecoder()
    decoder.feed(body)

    assert decoder.peek() == decoder.finish() == []


@pytest.mark.parametrize(
    "body",
    [b"data: " + b"x" * 95, b"data: " + b"x" * 95 + b"\n\n", b"data: 1\n" * 20, b":" + b"x" * 100 + b"\n"],
)
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_an_event_is_bounded_in_size(body: bytes, step: int) -> None:
    decoder = SSEDecoder(max_event_size=100)

    def feed_all() -> None:
        for start in range(0, len(body), step):
            decoder.feed(body[start : start + step])

    with pytest.raises(ResponseTooLarge, match="larger than 100 bytes"):
        feed_all()


def test_comments_do_not_count_towards_the_bound() -> None:
    assert SSEDecoder(max_event_size=10).feed(b": alive\n" * 100 + b"data: 1\n\n") == [
        ServerSentEvent(data="1")
    ]


def test_the_bound_is_per_event() -> None:
    decoder = SSEDecoder(max_event_size=100)

    assert len(decoder.feed((b"data: " + b"x" * 94 + b"\n\n") * 50)) == 50


lines = st.one_of(
    st.sampled_from(
        [b"", b"data", b"event: ping", b": comment", b"id: 7", b"retry: 10", b"\xef\xbb\xbfdata: x"]
    ),
    st.text(max_size=8).map(lambda text: b"data: " + text.encode().replace(b"\n", b"").replace(b"\r", b"")),
    st.binary(max_size=8),
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    body=st.lists(st.tuples(lines, st.sampled_from([b"\n", b"\r", b"\r\n"])), max_size=20),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_chunking_gives_the_same_events(body: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    whole = b"".join(line + end for line, end in body)

    assert decode(*cut(whole, cuts)) == decode(whole) == decode(*cut(whole, list(range(len(whole)))))


@settings(deadline=None, derandomize=True)
@given(
    values=st.lists(st.dictionaries(st.text(max_size=3), st.text(max_size=5), max_size=3), max_size=8),
    end=st.sampled_from(["\n", "\r\n", "\n\n"]),
    trailing=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_json_lines_in_any_chunking(
    values: list[dict[str, str]], end: str, trailing: bool, cuts: list[int]
) -> None:
    """The last line needs no line end; blank lines are skipped."""
    body = end.join(json.dumps(value, ensure_ascii=False) for value in values) + end * trailing
    decoder = LineDecoder()

    found = [line for part in cut(body.encode(), cuts) for line in decoder.feed(part)] + decoder.finish()

    assert [json.loads(line) for line in found] == values
