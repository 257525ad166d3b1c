"""Prompt caching as the Messages API accounts for it. Pure: ``now`` is an argument.

1. A ``cache_control`` mark ends a prefix: tools, then system, then messages, up to and with the marked block.
2. The longest marked prefix that is in the cache is read; the rest up to the last mark is created.
3. An entry exists from the first byte of the answer that created it, not earlier: requests sent
   before it each pay for a creation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import Any

import msgspec

from ._api import ApiRequest, Prefix, TokenCounts
from ._text import Turn, count_characters, count_tokens

Block = dict[str, Any]


def _as_blocks(content: str | list[Block] | None) -> list[Block]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content or []


def _blocks(
    system: str | list[Block] | None, tools: Iterable[Block], turns: Iterable[Turn]
) -> Iterator[Block]:
    yield from tools
    yield from _as_blocks(system)
    for turn in turns:
        yield from ({"role": turn.role, **block} for block in _as_blocks(turn.content))


def marked_prefixes(
    system: str | list[Block] | None, tools: Iterable[Block], turns: Iterable[Turn]
) -> tuple[Prefix, ...]:
    """Return the prefixes of a prompt that its ``cache_control`` marks name, shortest first."""
    prefixes: list[Prefix] = []
    state = blake2b(digest_size=16)
    characters = 0
    for block in _blocks(system, tools, turns):
        marked = block.get("cache_control") is not None
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        state.update(msgspec.json.encode(plain))
        characters += count_characters(plain)
        if marked:
            prefixes.append(Prefix(key=state.digest(), tokens=count_tokens(characters)))
    return tuple(prefixes)


class PromptCache:
    """The prefixes that are cached, with the time at which each expires."""

    def __init__(self) -> None:
        self._expires: dict[bytes, float] = {}

    def account(self, request: ApiRequest, output: int, minimum: int, now: float) -> TokenCounts:
        """Split the prompt of a request that starts now into fresh, created and read tokens."""
        cacheable = [prefix.tokens for prefix in request.prefixes if prefix.tokens >= minimum]
        read = max((p.tokens for p in request.prefixes if self._expires.get(p.key, now) > now), default=0)
        marked = max(cacheable, default=read)
        return TokenCounts(
            input=max(0, request.input_tokens - marked),
            cache_creation=marked - read,
            cache_read=read,
            output=output,
        )

    def store(self, request: ApiRequest, minimum: int, ttl: float, now: float) -> None:
        """Keep (or keep longer) the prefixes of a request whose answer begins now."""
        for prefix in request.prefixes:
            if prefix.tokens >= minimum:
                self._expires[prefix.key] = now + ttl
