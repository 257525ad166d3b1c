"""Texts of the simulator: counting their tokens, digesting them, generating answers. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any, cast

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
    """Return a long text without visible repetition: it steps through the sentence in uneven strides."""
    source = _SENTENCE.split()
    words: list[str] = []
    position = characters = 0
    while characters < length:
        position += 1 + len(words) % 37
        word = source[position % len(source)]
        words.append(word)
        characters += len(word) + 1
    return " ".join(words)


_CORPUS = _make_corpus(8_192)


class Turn(msgspec.Struct):
    """One message of a conversation, in the form that both APIs share."""

    role: str
    content: str | list[dict[str, Any]] | None = None


def messages_digest(messages: Iterable[Turn | dict[str, Any]]) -> str:
    """Return the 16 hex digits with which the answer to these messages begins, so that swaps are detected."""
    turns = msgspec.convert(list(messages), list[Turn])
    return blake2b(msgspec.json.encode(turns), digest_size=_DIGEST_BYTES).hexdigest()


def body_digest(body: bytes) -> str:
    """Return the 16 hex digits that identify a request body in the log."""
    return blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()


def count_tokens(characters: int) -> int:
    """Return the number of tokens of a text with this many characters: at least one."""
    return max(1, math.ceil(characters / _CHARACTERS_PER_TOKEN))


def count_characters(content: object) -> int:
    """Return the length of the text in a prompt, a message or a tool. Other blocks count by their JSON."""
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
    """Return the answer to the messages of this digest. It is ``tokens`` long and begins with the digest."""
    length = tokens * _CHARACTERS_PER_TOKEN
    start = int(digest[:4], 16) % len(_CORPUS)
    missing = max(0, length - len(digest) - 1)
    corpus = _CORPUS[start:] + _CORPUS * (missing // len(_CORPUS) + 1)
    return f"{digest} {corpus[:missing]}"[:length]


def chunks(text: str, tokens: int) -> Iterator[str]:
    """Split a text into chunks of ``tokens`` tokens."""
    size = tokens * _CHARACTERS_PER_TOKEN
    return (text[start : start + size] for start in range(0, len(text), size))
