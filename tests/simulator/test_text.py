"""Texts, digests and lots: the same request always meets the same fate."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.simulator import messages_digest
from headrace.simulator._text import answer_text, chunks, count_characters, draw, natural_length


@settings(deadline=None, derandomize=True, max_examples=50)
@given(tokens=st.integers(1, 9_000), size=st.integers(1, 100), first=st.integers(0, 2**16 - 1))
def test_an_answer_is_exactly_as_long_as_it_should_be_and_falls_into_its_pieces(
    tokens: int, size: int, first: int
) -> None:
    digest = f"{first:04x}0123456789ab"

    text = answer_text(digest, tokens)

    assert len(text) == 4 * tokens
    assert text.startswith(digest[: len(text)])
    assert "".join(chunks(text, size)) == text
    assert len(list(chunks(text, size))) == -(-tokens // size)


def test_answers_to_different_messages_differ() -> None:
    digests = [messages_digest([{"role": "user", "content": f"row {row}"}]) for row in range(1_000)]

    assert len({answer_text(digest, 20) for digest in digests}) == 1_000


def test_a_digest_knows_messages_and_nothing_else() -> None:
    plain = messages_digest([{"role": "user", "content": "a"}])

    assert messages_digest([{"content": "a", "role": "user", "name": "x"}]) == plain
    assert messages_digest([{"role": "assistant", "content": "a"}]) != plain


def test_lots_depend_on_the_seed_the_body_and_the_attempt() -> None:
    drawn = {draw(seed, body, attempt) for seed in (1, 2) for body in ("a", "b") for attempt in (1, 2)}

    assert len(drawn) == 8
    assert draw(1, "a", 1) == draw(1, "a", 1)
    assert all(0 <= rng.fault < 1 and 0 <= rng.delay < 1 and 0 <= rng.place < 1 for rng in drawn)


def test_natural_lengths_fill_their_range() -> None:
    lengths = {natural_length(0, f"{place}", 3, 7) for place in range(200)}

    assert lengths == {3, 4, 5, 6, 7}


def test_only_text_counts_and_media_by_their_json() -> None:
    tool_use = {"type": "tool_use", "input": {"a": 1}}

    assert count_characters("abc") == 3
    assert count_characters([{"type": "text", "text": "abc"}, {"type": "tool_result", "content": "de"}]) == 5
    assert count_characters(tool_use) == len('{"type":"tool_use","input":{"a":1}}')
    assert count_characters(None) == 0
