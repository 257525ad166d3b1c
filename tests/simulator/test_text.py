"""Texts of the simulator: their length, their digests, how their tokens are counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.simulator import messages_digest
from headrace.simulator._text import answer_text, chunks, count_characters


@settings(deadline=None, derandomize=True, max_examples=50)
@given(tokens=st.integers(1, 9_000), size=st.integers(1, 100), first=st.integers(0, 2**16 - 1))
def test_an_answer_has_exactly_its_tokens_and_its_chunks_add_up_to_it(
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


def test_a_digest_depends_on_role_and_content_only() -> None:
    plain = messages_digest([{"role": "user", "content": "a"}])

    assert messages_digest([{"content": "a", "role": "user", "name": "x"}]) == plain
    assert messages_digest([{"role": "assistant", "content": "a"}]) != plain


def test_text_counts_by_its_characters_and_other_blocks_by_their_json() -> None:
    tool_use = {"type": "tool_use", "input": {"a": 1}}

    assert count_characters("abc") == 3
    assert count_characters([{"type": "text", "text": "abc"}, {"type": "tool_result", "content": "de"}]) == 5
    assert count_characters(tool_use) == len('{"type":"tool_use","input":{"a":1}}')
    assert count_characters(None) == 0
