"""Prompt caching as the Messages API accounts for it. Pure: ``now`` is an argument.

1. A ``cache_control`` breakpoint ends a prefix: tools, then system, then messages, up to and including the
   block with the breakpoint.
2. The longest cached prefix is read. The rest up to the last breakpoint is created.
3. An entry exists from the first byte of the response that created it, not earlier: each request that is
   sent before then pays for a creation.
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


def cache_prefixes(
    system: str | list[Block] | None, tools: Iterable[Block], turns: Iterable[Turn]
) -> tuple[Prefix, ...]:
    """Return the prefixes of a prompt that end at a ``cache_control`` breakpoint, shortest first."""
    prefixes: list[Prefix] = []
    state = blake2b(digest_size=16)
    characters = 0
    for block in _blocks(system, tools, turns):
        is_breakpoint = block.get("cache_control") is not None
        plain = {key: value for key, value in block.items() if key != "cache_control"}
        state.update(msgspec.json.encode(plain))
        characters += count_characters(plain)
        if is_breakpoint:
            prefixes.append(Prefix(key=state.digest(), tokens=count_tokens(characters)))
    return tuple(prefixes)


class PromptCache:
    """The cached prefixes, with the time at which each expires."""

    def __init__(self) -> None:
        self._expires: dict[bytes, float] = {}

    def account(self, request: ApiRequest, output: int, minimum: int, now: float) -> TokenCounts:
        """Split the prompt of a request that starts now into uncached, created and read tokens.

        Prefixes of fewer than ``minimum`` tokens are not cached.
        """
        cacheable = [prefix.tokens for prefix in request.prefixes if prefix.tokens >= minimum]
        read = max((p.tokens for p in request.prefixes if self._expires.get(p.key, now) > now), default=0)
        cached = max(cacheable, default=read)
        return TokenCounts(
            input=max(0, request.input_tokens - cached),
            cache_creation=cached - read,
            cache_read=read,
            output=output,
        )

    def store(self, request: ApiRequest, minimum: int, ttl: float, now: float) -> None:
        """Cache the prefixes of a request whose response begins now, or renew them, for ``ttl`` seconds."""
        for prefix in request.prefixes:
            if prefix.tokens >= minimum:
                self._expires[prefix.key] = now + ttl
