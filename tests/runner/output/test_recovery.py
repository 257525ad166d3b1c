"""What a crash left of a file: rule by rule, and for every prefix of a valid one (P4)."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.output.recovery import Damaged, Recovery, Span, find_records


def read(line: bytes) -> object | None:
    try:
        return json.loads(line)
    except ValueError:
        return None


def recover(data: bytes, chunk: int = 1000, *, trusted: bool = False) -> tuple[list[object], Recovery]:
    recovery = Recovery()
    chunks = [data[start : start + chunk] for start in range(0, len(data), chunk)]
    return [record for _, record in find_records(chunks, read, recovery, trusted=trusted)], recovery


ONE, TWO = b'{"id":1}\n', b'{"id":2}\n'


@pytest.mark.parametrize(
    ("data", "size", "torn", "unterminated"),
    [
        (b"", 0, None, False),
        (ONE, 9, None, False),
        (ONE + TWO, 18, None, False),
        (ONE + b'{"id', 9, Span(9, 13), False),
        (ONE + b'{"id":2}', 17, None, True),
        (ONE + bytes(5), 9, Span(9, 14), False),
        (ONE + b'{"id":' + bytes(5), 9, Span(9, 20), False),
        (ONE + bytes(3) + b"2}\n", 9, Span(9, 15), False),
        (ONE + bytes(3) + b"\n" + bytes(3), 9, Span(9, 16), False),
        (ONE + bytes(3) + b"\n" + b'{"id', 9, Span(9, 17), False),
        (b'{"id', 0, Span(0, 4), False),
        (bytes(7), 0, Span(0, 7), False),
        (ONE + b"\n \n" + TWO + b"\n", 22, None, False),
        (ONE + b"  ", 9, Span(9, 11), False),
    ],
)
def test_the_tail_is_what_follows_the_last_whole_record(
    data: bytes, size: int, torn: Span | None, unterminated: bool
) -> None:
    for chunk in (1, 5, 1000):
        _, recovery = recover(data, chunk)

        assert (recovery.size, recovery.torn, recovery.unterminated) == (size, torn, unterminated)
        assert len(recovery.gaps) == 0


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        (ONE + b'{"id\n' + TWO, 9),
        (ONE + b'{"id\n', 9),
        (ONE + TWO + b"junk", 18),
        (b"# A heading\n\nSome text.\n", 0),
        (b"hello", 0),
        (b'{\n  "pretty": 1\n}\n', 0),
        (b"\0\0\0 ftypmp42", 0),
        (b"SQLite\0\n{", 8),
        (b"\n\nhello\n", 2),
    ],
)
def test_what_no_crash_leaves_is_damage(data: bytes, offset: int) -> None:
    """Neither damage in the middle nor another program's file is ever cut."""
    for chunk in (1, 5, 1000):
        with pytest.raises(Damaged) as caught:
            recover(data, chunk)
        assert caught.value.offset == offset


def test_a_file_that_is_known_to_be_ours_may_have_lost_its_first_page() -> None:
    data = bytes(8) + b'2}\n{"id'
    with pytest.raises(Damaged):
        recover(data)

    assert recover(data, trusted=True)[1].torn == Span(0, len(data))


def test_lost_pages_between_whole_records_are_gaps() -> None:
    """A power failure keeps pages in any order: what comes after the gap was paid for, too."""
    found, recovery = recover(ONE + b'{"id":' + bytes(8) + b"4}\n" + bytes(4) + b"\n" + TWO)

    assert found == [{"id": 1}, {"id": 2}]
    assert list(recovery.gaps) == [Span(9, 26), Span(26, 31)]
    assert (recovery.size, recovery.torn) == (40, None)


def test_the_span_of_an_unterminated_record_counts_the_line_feed_to_come() -> None:
    assert [span for span, _ in find_records([ONE + TWO[:-1]], read, Recovery(), trusted=False)] == [
        Span(0, 9),
        Span(9, 18),
    ]


FILES = st.lists(
    st.dictionaries(st.text(max_size=3), st.text(max_size=8) | st.integers(), max_size=3), max_size=6
)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(values=FILES, data=st.data())
def test_any_prefix_of_a_valid_file_recovers_to_its_whole_lines(
    values: list[dict[str, object]], data: st.DataObject
) -> None:
    """Nothing but the tail is cut: a prefix loses at most the record that it cuts through."""
    lines = [json.dumps(value).encode() + b"\n" for value in values]
    whole = b"".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    zeros = data.draw(st.integers(0, 9))
    found, recovery = recover(whole[:cut] + bytes(zeros), data.draw(st.integers(1, 50)))

    ends = [sum(map(len, lines[:count])) for count in range(len(lines) + 1)]
    # A record that lacks just its line feed is whole, unless zeros follow it.
    expected = sum(end - (not zeros) <= cut for end in ends[1:])
    assert found == values[:expected]
    kept = min(ends[expected], cut)
    assert recovery.size == kept
    assert recovery.unterminated == (kept < ends[expected])
    assert recovery.torn == (Span(kept, cut + zeros) if cut + zeros > kept else None)
