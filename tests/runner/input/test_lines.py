"""Splitting inputs: the same lines whatever the chunks."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.input.identity import digest
from headrace.input.lines import InputLine, LineCutter, LineSplitter


def split(chunks: list[bytes], max_line: int = 100) -> list[InputLine]:
    splitter = LineSplitter("in.jsonl", max_line)
    return [line for chunk in chunks for line in splitter.feed(chunk)] + splitter.finish()


def texts(data: bytes) -> list[tuple[int, bytes]]:
    return [(line.number, line.text) for line in split([data])]


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"a\nb\n", [(1, b"a"), (2, b"b")]),
        (b"a\nb", [(1, b"a"), (2, b"b")]),
        (b"a\r\nb\r\n", [(1, b"a"), (2, b"b")]),
        (b"a\r\r\nb\rc\n", [(1, b"a\r"), (2, b"b\rc")]),
        (b"\n  \n\r\na\n\t\n", [(4, b"a")]),
        (b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n", [(1, b"a"), (2, b"\xef\xbb\xbfb")]),
        (b"\xef\xbb\xbf\na\n", [(2, b"a")]),
        ('{"q":"a\u2028b\u2029c\x85"}\n'.encode(), [(1, '{"q":"a\u2028b\u2029c\x85"}'.encode())]),
        (b"a\0b\n\0\n", [(1, b"a\0b"), (2, b"\0")]),
        (b"a\x0bb\x0cc\n", [(1, b"a\x0bb\x0cc")]),
    ],
)
def test_only_line_feeds_end_lines(data: bytes, lines: list[tuple[int, bytes]]) -> None:
    """P12: BOM, CRLF, blank lines, no last newline, NUL, U+2028."""
    assert texts(data) == lines


LINES = st.lists(
    st.sampled_from(
        [
            b"",
            b" ",
            b"{}",
            b'{"a":1}',
            b"x" * 9,
            b"y" * 10,
            b"z" * 11,
            b"w" * 14,
            b"v" * 40,
            b"\r",
            b"\xef\xbb\xbf",
        ]
    )
    | st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"")),
    max_size=12,
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    lines=LINES,
    end=st.sampled_from([b"\n", b"\r\n"]),
    bom=st.booleans(),
    terminated=st.booleans(),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_any_chunking_gives_the_same_lines(
    lines: list[bytes], end: bytes, bom: bool, terminated: bool, cuts: list[int]
) -> None:
    data = b"\xef\xbb\xbf" * bom + end.join(lines) + end * terminated
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    chunks = [data[start:stop] for start, stop in pairwise(edges)]

    assert split(chunks, 10) == split([data], 10)
    assert split([bytes([byte]) for byte in data], 10) == split([data], 10)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(lines=LINES, terminated=st.booleans())
def test_numbers_and_texts_are_those_of_a_plain_split(lines: list[bytes], terminated: bool) -> None:
    data = b"{}\n" + b"\n".join(lines) + b"\n" * terminated
    expected = [
        (number, text.removesuffix(b"\r")) for number, text in enumerate(data.split(b"\n"), 1) if text.strip()
    ]

    assert texts(data) == expected


@pytest.mark.parametrize("chunk", [1, 7, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
def test_a_line_over_the_limit_is_measured_and_digested(chunk: int, end: bytes) -> None:
    long = b"x" * 500 + b"\r" + b"y" * 20
    data = b"a\n" + long + end + (b"b\n" if end else b"")
    lines = split([data[start : start + chunk] for start in range(0, len(data), chunk)])

    oversized = lines[1].oversized
    assert oversized is not None
    assert (lines[1].number, lines[1].text, oversized.size) == (2, b"", len(long))
    assert oversized.digest == digest(long)
    assert [(line.number, line.text) for line in lines[2:]] == ([(3, b"b")] if end else [])


def test_a_long_line_is_never_kept() -> None:
    splitter = LineSplitter(None, 10)
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
        assert splitter._cutter.pending == 0  # pyright: ignore[reportPrivateUsage]  # a test may look inside


def test_a_line_of_just_the_limit_is_whole() -> None:
    assert [line.oversized is None for line in split([b"x" * 10 + b"\r\n" + b"x" * 11 + b"\r\n"], 10)] == [
        True,
        False,
    ]


def test_the_rest_after_the_last_line_feed_can_be_taken_once() -> None:
    cutter = LineCutter()
    assert cutter.feed(b"a\nb") == [b"a"]
    assert cutter.feed(b"c") == []
    assert (cutter.pending, cutter.take_rest(), cutter.take_rest()) == (2, b"bc", b"")
