"""The words of the simulator: how texts are counted, digested, drawn by lot and made up. Pure."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, cast

import attrs
import msgspec

_CHARACTERS_PER_TOKEN = 4
_DIGEST_BYTES = 8

_SENTENCE = (
    "the water comes down from the upper pond and the wheel takes what it can bear while the miller "
    "sets the gate a little wider after rain and a little closer in a dry summer so that stone and "
    "grain keep one even pace and no drop runs over the weir unused because whoever opens the sluice "
    "too far breaks the paddles and whoever opens it too little goes home with an empty sack "
)


def _make_corpus(length: int) -> str:
    """Make a long text whose places do not look alike, by stepping through the sentence in uneven strides."""
    source = _SENTENCE.split()
    words: list[str] = []
    place = characters = 0
    while characters < length:
        place += 1 + len(words) % 37
        word = source[place % len(source)]
        words.append(word)
        characters += len(word) + 1
    return " ".join(words)


_CORPUS = _make_corpus(8_192)


class Turn(msgspec.Struct):
    """One message of a conversation, as both APIs spell it."""

    role: str
    content: str | list[dict[str, Any]] | None = None


def messages_digest(messages: Iterable[Turn | dict[str, Any]]) -> str:
    """Return the 16 hex digits that the answer to these messages begins with: a swapped answer shows."""
    turns = msgspec.convert(list(messages), list[Turn])
    return blake2b(msgspec.json.encode(turns), digest_size=_DIGEST_BYTES).hexdigest()


def body_digest(body: bytes) -> str:
    """Return the 16 hex digits by which the log tells one request body from another."""
    return blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()


def count_tokens(characters: int) -> int:
    """Return how many tokens a text of so many characters has; no text is free."""
    return max(1, math.ceil(characters / _CHARACTERS_PER_TOKEN))


def count_characters(content: object) -> int:
    """Return the length of the text in a prompt, a message or a tool; other blocks count by their JSON."""
    if isinstance(content, str):
        return len(content)
    if isinstance(content, list):
        return sum(map(count_characters, cast("list[object]", content)))
    if isinstance(content, dict):
        block = cast("dict[str, object]", content)
        for part in ("text", "content"):
            if part in block:
                return count_characters(block[part])
        return len(msgspec.json.encode(block))
    return 0


def answer_text(digest: str, tokens: int) -> str:
    """Return the answer to the messages of this digest: ``tokens`` long, beginning with the digest."""
    length = tokens * _CHARACTERS_PER_TOKEN
    start = int(digest[:4], 16) % len(_CORPUS)
    wanted = length - len(digest) - 1
    corpus = _CORPUS[start:] + _CORPUS * (max(0, wanted) // len(_CORPUS) + 1)
    return f"{digest} {corpus[: max(0, wanted)]}"[:length]


def chunks(text: str, tokens: int) -> Iterator[str]:
    """Cut a text into pieces of so many tokens."""
    size = tokens * _CHARACTERS_PER_TOKEN
    return (text[start : start + size] for start in range(0, len(text), size))


@attrs.frozen(kw_only=True)
class Draw:
    """What chance decides about one attempt: three numbers from 0 to 1 (exclusive), and a name for it."""

    fault: float
    delay: float
    place: float
    name: str


def draw(seed: int, digest: str, attempt: int) -> Draw:
    """Draw for the ``attempt``-th arrival of a body: the same in every run, whatever arrives beside it."""
    drawn = blake2b(f"{seed}/{digest}/{attempt}".encode(), digest_size=32).digest()
    fault, delay, place = ((number >> 11) / 2**53 for number in struct.unpack(">3Q", drawn[:24]))
    return Draw(fault=fault, delay=delay, place=place, name=drawn[:12].hex())


def natural_length(seed: int, digest: str, shortest: int, longest: int) -> int:
    """Draw how many tokens the answer to these messages has if nothing cuts it; the same at each attempt."""
    drawn = int.from_bytes(blake2b(f"{seed}/{digest}".encode(), digest_size=8).digest())
    return shortest + drawn % (longest - shortest + 1)
