"""Answers with one oddity each, and the verdict on each: a table independent of the code that it tests.

An answer is a whole body, or the chunks of a stream. It has a text that occurs nowhere else, so that a test
can look for it. An oddity changes one thing that some server does, and says what becomes of the answer:

    success      the text is in the answer
    rate_limit   a 429 inside a 200: it paces
    credentials  a 401 inside a 200: it ends the run
    spend_limit  a 402 inside a 200: it ends the run
    rejected     a 400 inside a 200: it is final
    retry        the answer is not whole, or the server failed: another attempt may succeed
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from .oddities import ODDITIES
from .ordinary import chunks, completion, message, message_events
from .values import Api, OddAnswer, Oddity, Verdict

__all__ = ["OddAnswer", "Verdict", "answers"]


def answers(seed: int, count: int) -> Iterator[OddAnswer]:
    """Yield ``count`` answers, in turn over all oddities and both ways to send them."""
    generator = random.Random(seed)
    kinds: list[tuple[Oddity, Api, bool]] = [
        (oddity, api, streamed)
        for oddity in ODDITIES
        for api in oddity.apis
        for streamed in (False, True)
        if (oddity.stream if streamed else oddity.whole) is not None
    ]
    for number in range(count):
        oddity, api, streamed = kinds[number % len(kinds)]
        text = _text(generator, number)
        yield OddAnswer(
            api=api,
            oddity=oddity.name,
            streamed=streamed,
            body=(_streamed if streamed else _whole)(oddity, api, text, generator),
            text=text,
            expected=oddity.expected,
        )


def _text(generator: random.Random, number: int) -> str:
    words = [
        generator.choice(("water", "race", "Müller", "日本語", "🎉", "a\nb", '"q"', "\\", "1 < 2"))
        for _ in range(6)
    ]
    return f"[{number}] " + " ".join(words)


def _whole(oddity: Oddity, api: Api, text: str, generator: random.Random) -> bytes:
    assert oddity.whole is not None
    return oddity.whole(message(text) if api == "messages" else completion(text), text, generator)


def _streamed(oddity: Oddity, api: Api, text: str, generator: random.Random) -> bytes:
    assert oddity.stream is not None
    events = message_events(text, generator) if api == "messages" else chunks(text, generator)
    return b"".join(oddity.stream(events, text, generator))
