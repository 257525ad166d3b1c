"""2,000 answers with one oddity each are judged as a table says, and no paid text is thrown away.

The seed is fixed; `odd_answers.answers` with another one makes others.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, cast

import pytest

from headrace.job import Failure, Success

from .odd_answers import OddAnswer, Verdict, answers
from .samples import answer, dialect

SEED = 20_261_129
ANSWERS = tuple(answers(SEED, 2_000))

DIALECTS = {"messages": "anthropic", "chat": "openai"}
RETRIED = {"server", "overloaded", "invalid_response"}


def judged(odd: OddAnswer, generator: random.Random) -> Success | Failure:
    """The outcome, as a worker gets it: a stream arrives in chunks of any size."""
    api = dialect(DIALECTS[odd.api])
    if not odd.streamed:
        return api.judge(answer(200, odd.body))
    assembler = api.assembler()
    rest = odd.body
    while rest:
        size = generator.choice((1, 3, 17, 100, 5_000))
        assembler.feed(rest[:size])
        rest = rest[size:]
    return assembler.finish()


def verdict(outcome: Success | Failure) -> Verdict:
    if isinstance(outcome, Success):
        return "success"
    if outcome.kind in RETRIED:
        return "retry"
    assert outcome.kind in ("rate_limit", "credentials", "spend_limit", "rejected")
    return outcome.kind


def texts(value: Any) -> Iterator[str]:
    """Every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for member in cast("dict[str, Any]", value).values():
            yield from texts(member)
    elif isinstance(value, list):
        for item in cast("list[Any]", value):
            yield from texts(item)


def answered_text(odd: OddAnswer, message: bytes) -> object:
    body = json.loads(message)
    if odd.api == "chat":
        return body["choices"][0]["message"]["content"]
    return body["content"][0]["text"]


def wrong(odd: OddAnswer, outcome: Success | Failure) -> str | None:
    """Say what is wrong with an outcome, None if nothing is."""
    if verdict(outcome) != odd.expected:
        return f"judged {outcome}, not {odd.expected}"
    if isinstance(outcome, Success):
        found = answered_text(odd, outcome.message)
        return None if found == odd.text else f"the text is {found!r}, not {odd.text!r}"
    return kept_wrong(odd, outcome)


def kept_wrong(odd: OddAnswer, failure: Failure) -> str | None:
    """Say what is missing in what is kept of a refused answer: a text that had begun to arrive."""
    start = json.dumps(odd.text[:4], ensure_ascii=False)[1:-1]
    if start not in odd.body.decode(errors="replace"):
        return None
    if failure.answer is None:
        return "the refused answer is not kept"
    kept = "".join(texts(json.loads(failure.answer)))
    return None if odd.text[:4] in kept else f"its text is not in what is kept: {kept[:200]!r}"


@pytest.mark.parametrize("part", range(10))
def test_answers_with_one_oddity_are_judged_as_the_table_says(part: int) -> None:
    generator = random.Random(SEED + part)
    faults = [
        f"{odd.api} {'streamed' if odd.streamed else 'whole'}, {odd.oddity}: {problem}"
        for odd in ANSWERS[part::10]
        if (problem := wrong(odd, judged(odd, generator)))
    ]
    assert not faults, "\n".join(faults)
