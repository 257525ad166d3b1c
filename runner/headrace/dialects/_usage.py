"""Reading the usage of an answer, in any form in which a server may report it. Pure.

An answer that is there and whole is kept, whatever its usage looks like. So nothing here fails: a count is
read if it says a number (``5``, ``5.0``, ``"5"``; a fraction is rounded up), and is unknown (None, never 0)
if it is missing, negative, not finite, beyond `MAX_TOKENS`, or of another type.

No request has an empty prompt. A server that reports one does not count: its 0 is unknown, too, and so is an
output of 0 next to it.

The counts of cached tokens are different: a server without a cache does not report them, so missing means 0.
One that makes no sense never makes a request cheaper. Here the APIs differ: chat completions, embeddings and
``/v1/responses`` count cached tokens as a part of the prompt, the Messages API counts them besides the input.

`ChatUsage` and `MessagesUsage` are for the Structs that decode a whole body on the hot path. A body that does
not fit them is decoded once more, with raw members, for `read_chat_usage` and `read_messages_usage`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from headrace.job import Usage

from ._json import DECODE_ERRORS

MAX_TOKENS: Final = 10**12
"""No request has more tokens. A larger count makes no sense, and could overflow in calculations."""

_NULL: Final = b"null"
_NUMBER: Final = re.compile(r"\+?[0-9]{1,40}(?:\.[0-9]{0,40})?(?:[eE][+-]?[0-9]{1,3})?")


# -- chat completions, text completions and /v1/responses


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    cache_creation_tokens: int | None = None
    """LiteLLM's name for the same."""


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: int | None = None


class ChatUsage(msgspec.Struct, gc=False):
    """The field names of chat completions, and those of ``/v1/responses``."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _PromptDetails | None = None


def chat_usage(usage: ChatUsage, service_tier: str | None = None) -> Usage:
    """Return the usage of a chat completion, a text completion or a response (``/v1/responses``).

    Cached tokens are counted apart from the input.
    """
    details = usage.prompt_tokens_details or usage.input_tokens_details
    cached = written = 0
    if details is not None:
        cached = details.cached_tokens or 0
        written = details.cache_write_tokens or details.cache_creation_tokens or 0
    prompt, output = usage.prompt_tokens, usage.completion_tokens
    if not prompt or output is None:
        prompt, output = usage.input_tokens or prompt, usage.output_tokens or output
    if (
        not prompt
        or output is None
        or prompt > MAX_TOKENS
        or not 0 <= output <= MAX_TOKENS
        or cached < 0
        or written < 0
        or cached + written > prompt
        or (usage.total_tokens is not None and usage.total_tokens > prompt + output)
    ):
        return _lenient_chat_usage(msgspec.to_builtins(usage), service_tier)
    return Usage(
        input=prompt - cached - written,
        output=output,
        cache_read=cached,
        cache_creation=written,
        service_tier=service_tier,
    )


def read_chat_usage(raw: bytes, service_tier: bytes = _NULL, x_groq: bytes = _NULL) -> Usage:
    """Return the same, from members of a body that no Struct fits.

    ``raw``: the member ``usage``. ``service_tier``, ``x_groq``: the members of these names. Groq's streams
    may have their usage only in ``x_groq``.
    """
    usage = _decoded(raw)
    if not _members(usage) and x_groq != _NULL:
        usage = _members(_decoded(x_groq)).get("usage")
    return _lenient_chat_usage(usage, _name(_decoded(service_tier)))


def _lenient_chat_usage(value: object, tier: str | None) -> Usage:
    usage = _members(value)
    prompt = _larger(usage, "prompt_tokens", "input_tokens")
    output = _larger(usage, "completion_tokens", "output_tokens")
    return _split(prompt, _with_reasoning(usage, prompt, output), _details(usage), tier)


def _with_reasoning(usage: Mapping[str, Any], prompt: int | None, output: int | None) -> int | None:
    """Return the output with its reasoning, which xAI counts besides the completion: its total shows that."""
    reasoning = _count(_members(usage.get("completion_tokens_details")).get("reasoning_tokens"))
    if output is None or prompt is None or reasoning is None:
        return output
    return output + (reasoning if _count(usage.get("total_tokens")) == prompt + output + reasoning else 0)


def read_embeddings_usage(raw: bytes) -> Usage:
    """Return the usage of a request whose endpoint has no output tokens, such as embeddings.

    ``raw``: the member ``usage``. Some servers report only ``total_tokens``.
    """
    usage = _members(_decoded(raw))
    prompt = _larger(usage, "prompt_tokens", "input_tokens", "total_tokens")
    known = _split(prompt, None, _details(usage), None)
    output = _larger(usage, "completion_tokens", "output_tokens")
    return msgspec.structs.replace(known, output=output or 0)


def _details(usage: Mapping[str, Any]) -> Mapping[str, Any]:
    return _members(usage.get("prompt_tokens_details")) or _members(usage.get("input_tokens_details"))


def _split(prompt: int | None, output: int | None, details: Mapping[str, Any], tier: str | None) -> Usage:
    """Return the usage of a prompt whose cached tokens are a part of it.

    A count of reads that makes no sense leaves them in the input, which costs more. Writes cost more than
    input: without a sensible count of them, the input is unknown.
    """
    if not prompt:
        return Usage(input=None, output=output or None, service_tier=tier)
    written = _cached(details, "cache_write_tokens")
    if written == 0:
        written = _cached(details, "cache_creation_tokens")
    if written is None or written > prompt:
        return Usage(input=None, output=output, service_tier=tier)
    cached = _cached(details, "cached_tokens") or 0
    if cached + written > prompt:
        cached = 0
    return Usage(
        input=prompt - cached - written,
        output=output,
        cache_read=cached,
        cache_creation=written,
        service_tier=tier,
    )


# -- messages


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_1h_input_tokens: int = 0
    ephemeral_5m_input_tokens: int = 0


class MessagesUsage(msgspec.Struct, gc=False):
    """The field names of the Messages API."""

    input_tokens: int
    output_tokens: int
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    service_tier: str | None = None


def messages_usage(usage: MessagesUsage) -> Usage:
    """Return the usage of a message."""
    new, output = usage.input_tokens, usage.output_tokens
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    short, hourly = 0, 0
    if usage.cache_creation is not None:
        short = usage.cache_creation.ephemeral_5m_input_tokens
        hourly = usage.cache_creation.ephemeral_1h_input_tokens
    if (
        not 0 < new <= MAX_TOKENS
        or not 0 <= output <= MAX_TOKENS
        or not 0 <= cached <= MAX_TOKENS
        or not 0 <= hourly <= short + hourly <= written <= MAX_TOKENS
    ):
        return _lenient_messages_usage(msgspec.to_builtins(usage))
    return Usage(
        input=new,
        output=output,
        cache_read=cached,
        cache_creation=written,
        cache_creation_1h=hourly,
        service_tier=usage.service_tier,
    )


def read_messages_usage(raw: bytes) -> Usage:
    """Return the same, from the member ``usage`` of a body that no Struct fits."""
    return _lenient_messages_usage(_decoded(raw))


def _lenient_messages_usage(value: object) -> Usage:
    """Cached tokens are counted besides the input: if their number is unknown, so is that of the input."""
    usage = _members(value)
    new, output = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
    cached, written = _cached(usage, "cache_read_input_tokens"), _created(usage)
    tier = _name(usage.get("service_tier"))
    if new is None or cached is None or written is None:
        return Usage(input=None, output=output, service_tier=tier)
    total, hourly = written
    if not new + cached + total:
        return Usage(input=None, output=output or None, service_tier=tier)
    return Usage(
        input=new,
        output=output,
        cache_read=cached,
        cache_creation=total,
        cache_creation_1h=hourly,
        service_tier=tier,
    )


def _created(usage: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the tokens written to the cache, and those of them that it keeps for an hour. None: unknown.

    Without a sensible division, all that is not said to be kept for five minutes is kept for an hour, which
    costs more.
    """
    total = _cached(usage, "cache_creation_input_tokens")
    division = _members(usage.get("cache_creation"))
    short = _cached(division, "ephemeral_5m_input_tokens")
    hourly = _cached(division, "ephemeral_1h_input_tokens")
    if total is None:
        return None if short is None or hourly is None or not division else (short + hourly, hourly)
    if not division:
        return total, 0
    if hourly is None:
        hourly = max(0, total - (short or 0))
    return max(total, (short or 0) + hourly), hourly


# -- one count


def _count(value: object) -> int | None:
    """Return a number of tokens, rounded up; None if the value is not one."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value := value.strip()) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_TOKENS:
        return None
    return math.ceil(value)


def _cached(members: Mapping[str, Any], name: str) -> int | None:
    """Return a number of cached tokens: 0 if the server does not report one, None if it makes no sense."""
    value = members.get(name)
    return 0 if value is None else _count(value)


def _larger(members: Mapping[str, Any], *names: str) -> int | None:
    """Return the largest count with one of the names: some gateways report both, one of them as 0."""
    counts = [count for name in names if (count := _count(members.get(name))) is not None]
    return max(counts, default=None)


def _name(value: object) -> str | None:
    return value.strip().lower() or None if isinstance(value, str) else None


def _members(value: object) -> Mapping[str, Any]:
    """Return the members of an object; nothing for any other value."""
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _decoded(raw: bytes) -> object:
    """Return the value of a JSON text, read as Python's ``json`` reads it; None if it is not one."""
    try:
        return msgspec.json.decode(raw)
    except DECODE_ERRORS:
        pass
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
