"""The Anthropic Messages dialect: bodies, events, errors and headers. Pure.

Shapes after the provider's documentation of the Messages API, of its streaming events, of its
errors and of its rate-limit headers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec

from ._api import ApiRequest, Completion, Prefix, RawHeaders, Rejection, TokenCounts
from ._buckets import Bucket, Quota
from ._cache import marked_prefixes
from ._text import Turn, count_characters, count_tokens, messages_digest

RESERVES_OUTPUT = False

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


class _Prompt(msgspec.Struct):
    model: str
    messages: Annotated[list[Turn], msgspec.Meta(min_length=1)]
    system: str | list[dict[str, Any]] | None = None
    tools: list[dict[str, Any]] = []


class _Body(_Prompt, kw_only=True):
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    stream: bool = False


def _checked(prompt: _Prompt) -> None:
    for place, turn in enumerate(prompt.messages):
        if turn.role not in ("user", "assistant"):
            raise Rejection(
                status=400, message=f"messages.{place}.role: Input should be 'user' or 'assistant'"
            )
        if not turn.content:
            raise Rejection(status=400, message=f"messages.{place}.content: Input should not be empty")


def _input_tokens(prompt: _Prompt) -> int:
    parts: tuple[object, ...] = (prompt.system, prompt.tools, [turn.content for turn in prompt.messages])
    return count_tokens(sum(map(count_characters, parts)))


def read(body: bytes) -> ApiRequest:
    """Understand the body of ``POST /v1/messages``."""
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    _checked(asked)
    return ApiRequest(
        model=asked.model,
        digest=messages_digest(asked.messages),
        input_tokens=_input_tokens(asked),
        reserve=count_tokens(len(body)),
        max_tokens=asked.max_tokens,
        stream=asked.stream,
        prefixes=_prefixes(asked) if b'"cache_control"' in body else (),
    )


def _prefixes(asked: _Prompt) -> tuple[Prefix, ...]:
    return marked_prefixes(asked.system, asked.tools, asked.messages)


def count(body: bytes) -> tuple[str, bytes]:
    """Answer ``POST /v1/messages/count_tokens``: the model asked for, and the answer's body."""
    try:
        asked = msgspec.json.decode(body, type=_Prompt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    _checked(asked)
    return asked.model, msgspec.json.encode({"input_tokens": _input_tokens(asked)})


def _usage(usage: TokenCounts, output: int) -> dict[str, object]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _message(
    reply: Completion, content: list[dict[str, str]], stop_reason: str | None, output: int
) -> dict[str, object]:
    return {
        "id": f"msg_{reply.name}",
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(reply.usage, output),
    }


def _stop_reason(reply: Completion) -> str:
    return "max_tokens" if reply.cut else "end_turn"


def whole(reply: Completion) -> bytes:
    """Spell the reply as one message."""
    content = [{"type": "text", "text": reply.text}]
    return msgspec.json.encode(_message(reply, content, _stop_reason(reply), reply.usage.output))


def _event(name: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


def opening(_question: ApiRequest, reply: Completion) -> bytes:
    """Spell ``message_start``, ``content_block_start`` and the ping that follows them."""
    return (
        _event("message_start", message=_message(reply, [], None, 1))
        + _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + _event("ping")
    )


def piece(_question: ApiRequest, _reply: Completion, text: str) -> bytes:
    """Spell one ``content_block_delta``."""
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def closing(_question: ApiRequest, reply: Completion) -> bytes:
    """Spell ``content_block_stop``, ``message_delta`` and ``message_stop``."""
    delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    usage = {"output_tokens": reply.usage.output}
    return (
        _event("content_block_stop", index=0)
        + _event("message_delta", delta=delta, usage=usage)
        + _event("message_stop")
    )


def error(rejection: Rejection, request_id: str) -> bytes:
    """Spell an error; its machine-readable reason stands in ``error.details.error_code``."""
    described: dict[str, object] = {
        "type": _ERROR_TYPES.get(rejection.status, "api_error"),
        "message": rejection.message,
    }
    if rejection.code is not None:
        described["details"] = {"error_code": rejection.code}
    return msgspec.json.encode({"type": "error", "error": described, "request_id": request_id})


def key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the key of ``x-api-key``, or the token of ``authorization: Bearer``."""
    presented = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    return presented.decode("latin-1") or None


def id_header(request_id: str) -> tuple[bytes, bytes]:
    """Return the header that names the request."""
    return b"request-id", request_id.encode()


@lru_cache(maxsize=1_024)  # headers of one second share it: formatting is a third of their cost
def _timestamp(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _limit_headers(kind: bytes, bucket: Bucket, rounding: int, now: float, wall: float) -> RawHeaders:
    reading = bucket.read(now)
    prefix = b"anthropic-ratelimit-" + kind
    remaining = round(reading.remaining / rounding) * rounding if rounding > 1 else int(reading.remaining)
    return [
        (prefix + b"-limit", b"%d" % reading.limit),
        (prefix + b"-remaining", b"%d" % remaining),
        (prefix + b"-reset", _timestamp(math.ceil(wall + reading.full_in))),
    ]


def _fill(bucket: Bucket, now: float) -> float:
    return bucket.refill(now) / bucket.limit.depth


def limit_headers(quota: Quota, now: float, wall: float) -> RawHeaders:
    """Return the twelve headers: tokens are rounded to the nearest 1000, resets are times of full refill.

    The ``tokens`` triple repeats the more exhausted of input and output.
    """
    scarcer = min(quota.input, quota.output, key=lambda bucket: _fill(bucket, now))
    return [
        *_limit_headers(b"requests", quota.requests, 1, now, wall),
        *_limit_headers(b"input-tokens", quota.input, 1_000, now, wall),
        *_limit_headers(b"output-tokens", quota.output, 1_000, now, wall),
        *_limit_headers(b"tokens", scarcer, 1_000, now, wall),
    ]
