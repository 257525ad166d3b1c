"""Digests, recipes, ids and ordinals: the same in every run."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.input.identity import Identities, Ordinals, derived_id, digest, index_key, recipe_digest
from headrace.input.key_set import KeySet


def test_a_digest_is_blake2b_of_8_bytes() -> None:
    """Pinned: a change would make every finished job look changed."""
    assert digest(b'{"question":"1+1?"}') == "1aabb0cf4f17f2de"


def test_a_recipe_digest_is_of_canonical_json() -> None:
    recipe = {"prompt": "Q: {q}", "set": {"b": 1, "a": [True, None]}}

    assert recipe_digest(recipe) == recipe_digest(dict(reversed(recipe.items()))) == "6ac2f8ff"
    assert recipe_digest({**recipe, "simulated": True}) != recipe_digest(recipe)


def test_equal_lines_are_distinguished_by_their_ordinal() -> None:
    texts = [b"a", b"b", b"a", b"a", b"b"]
    expected = [(digest(text), ordinal) for text, ordinal in zip(texts, [0, 0, 1, 2, 1], strict=True)]
    for repeated in (None, {int(digest(b"a"), 16), int(digest(b"b"), 16)}):
        ordinals = Ordinals(repeated)

        assert [(digest(text), ordinals.next(digest(text))) for text in texts] == expected


@settings(deadline=None, derandomize=True, max_examples=50)
@given(st.lists(st.integers(0, 30).map(lambda number: f"{number:016x}")))
def test_ordinals_with_and_without_a_scan_agree(digests: list[str]) -> None:
    counts = Counter(digests)
    scanned = Ordinals({int(each, 16) for each, count in counts.items() if count > 1})
    streamed = Ordinals(None)

    assert [scanned.next(each) for each in digests] == [streamed.next(each) for each in digests]


def test_the_key_of_a_derived_id_is_its_digest() -> None:
    line_digest = digest(b"a")

    assert index_key(derived_id(line_digest, 12)) == (int(line_digest, 16), 12)


@pytest.mark.parametrize(
    "job_id", ["r-", "r-1", "r-0123456789abcdef", "r-0123456789abcdef-01", "r-0123456789ABCDEF-1", "x"]
)
def test_other_ids_have_no_ordinal(job_id: str) -> None:
    key, ordinal = index_key(job_id)

    assert ordinal == 0
    assert 0 <= key < 2**64


def test_an_id_is_new_once() -> None:
    """With a scan, only its duplicates are remembered; without one, every id is."""
    for duplicates in (None, {"a"}):
        identities = Identities(Ordinals(None), duplicates)
        names = [identities.name(own_id, digest(b"line")) for own_id in ("a", "b", "a", None, None)]

        derived = [(derived_id(digest(b"line"), ordinal), True) for ordinal in (0, 1)]
        assert names == [("a", True), ("b", True), ("a", False), *derived]


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 5) | st.integers(0, 2000).map(lambda key: key << 20))
)
def test_the_compact_set_is_a_set(keys: list[int]) -> None:
    seen, expected = KeySet(), set[int]()
    for key in keys:
        known = key or 1
        assert seen.add(key) == (known not in expected)
        expected.add(known)


def test_the_compact_set_grows() -> None:
    seen = KeySet()
    keys = [int(digest(str(number).encode()), 16) for number in range(20_000)]

    assert all(seen.add(key) for key in keys)
    assert not any(seen.add(key) for key in keys)
    tables = seen._tables  # pyright: ignore[reportPrivateUsage]  # a test may look inside
    assert sum(map(len, tables)) * 8 <= 24 * len(keys)
