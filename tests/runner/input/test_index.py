"""The job index against a plain dictionary."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.input.index import Index, State

KEYS = st.integers(0, 2**64 - 1) | st.sampled_from([0, 1, 2**56, 2**64 - 1, 7 << 56, (7 << 56) + 1])
ENTRIES = st.lists(KEYS.map(lambda key: (key, key)) | st.tuples(KEYS, KEYS), max_size=40)


def make(entries: list[tuple[int, int]]) -> Index:
    index = Index()
    for key, digest in entries:
        index.add(key, digest)
    index.sort()
    return index


@settings(deadline=None, derandomize=True, max_examples=200)
@given(entries=ENTRIES, others=ENTRIES)
def test_it_finds_what_was_added_and_nothing_else(
    entries: list[tuple[int, int]], others: list[tuple[int, int]]
) -> None:
    index, counts = make(entries), Counter(entries)
    assert len(index) == len(entries)
    for key, digest in [*entries, *others]:
        count = counts[key, digest]
        places = [index.find(key, digest, ordinal) for ordinal in range(count + 1)]
        if key == digest:  # equal lines are distinguished, as many as there are
            assert len(set(places[:-1])) == count
            assert (None not in places[:-1], places[-1]) == (True, None)
        else:
            assert (places[0] is not None) == (count > 0)
        assert (index.find_key(key) is not None) == any(known == key for known, _ in entries)


@settings(deadline=None, derandomize=True, max_examples=100)
@given(entries=ENTRIES)
def test_it_finds_repeated_lines_and_shared_ids(entries: list[tuple[int, int]]) -> None:
    repeated, suspects = make(entries).shared()

    derived = Counter(key for key, digest in entries if key == digest)
    own = Counter(key for key, digest in entries if key != digest)
    assert repeated == {key for key, count in derived.items() if count > 1}
    assert suspects == {key for key in own if own[key] + derived[key] > 1}


def test_each_entry_has_its_own_state() -> None:
    entries = [(key << 50, key) for key in range(1, 1000)] + [(5, 5)] * 3
    index = make(entries)
    marked = [index.find(5, 5, 1), index.find(9 << 50, 9), index.find(999 << 50, 999)]
    for entry, state in zip(marked, [State.DONE, State.FAILED, State.DONE], strict=True):
        assert entry is not None
        index.mark(entry, state)

    assert [index.state(entry) for entry in marked if entry is not None] == [
        State.DONE,
        State.FAILED,
        State.DONE,
    ]
    assert (index.count(State.DONE), index.count(State.FAILED)) == (2, 1)
    assert index.count(State.NEW) == len(entries) - 3


def test_an_entry_takes_16_bytes_and_its_state_one() -> None:
    index = make([(key * 0x9E3779B97F4A7C15 % 2**64, key) for key in range(1, 50_001)])
    arrays = [*index._keys, *index._digests]  # pyright: ignore[reportPrivateUsage]  # a test may look inside
    states = index._states  # pyright: ignore[reportPrivateUsage]  # the same

    assert sum(len(each) * each.itemsize for each in arrays) + sum(map(len, states)) == 17 * 50_000


def test_a_key_of_other_lines_is_found_by_key_only() -> None:
    index = make([(3, 8), (3, 3), (3, 3)])

    assert index.find(3, 9) is None
    assert index.find_key(3, 1) == index.find(3, 3, 1)
    assert make([(3, 8)]).find_key(3) is not None
