"""The OpenAI chat completions dialect: bodies, chunks, errors and headers. Pure.

Shapes after the provider's API reference; its limits count the larger of ``max_tokens`` and an
estimate from the characters of the request, and count failed requests too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from ._api import ApiRequest, Completion, RawHeaders, Rejection
from ._buckets import Bucket, Quota
from ._text import Turn, count_characters, count_tokens, messages_digest

RESERVES_OUTPUT = True

_ERROR_TYPES = {429: "requests", 500: "server_error", 529: "server_error"}
_ERROR_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}
_CODES_OF_SPEND = ("enforced_spend_limit_reached", "contract_spend_limit_reached")


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct, kw_only=True):
    model: str
    messages: Annotated[list[Turn], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


def read(body: bytes) -> ApiRequest:
    """Understand the body of ``POST /v1/chat/completions``."""
    try:
        asked = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    characters = sum(count_characters(turn.content) for turn in asked.messages)
    longest = asked.max_completion_tokens or asked.max_tokens
    return ApiRequest(
        model=asked.model,
        digest=messages_digest(asked.messages),
        input_tokens=count_tokens(characters),
        reserve=max(longest or 0, count_tokens(characters)),
        max_tokens=longest,
        stream=bool(asked.stream),
        include_usage=asked.stream_options is not None and asked.stream_options.include_usage,
    )


def _usage(reply: Completion) -> dict[str, int]:
    prompt = reply.usage.input
    return {
        "prompt_tokens": prompt,
        "completion_tokens": reply.usage.output,
        "total_tokens": prompt + reply.usage.output,
    }


def _completion(kind: str, reply: Completion, choices: list[dict[str, object]]) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{reply.name}",
        "object": kind,
        "created": int(reply.created),
        "model": reply.model,
        "choices": choices,
    }


def _finish_reason(reply: Completion) -> str:
    return "length" if reply.cut else "stop"


def whole(reply: Completion) -> bytes:
    """Spell the reply as one completion."""
    message = {"role": "assistant", "content": reply.text, "rejection": None}
    choice: dict[str, object] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(reply),
    }
    return msgspec.json.encode(_completion("chat.completion", reply, [choice]) | {"usage": _usage(reply)})


def _chunk(
    request: ApiRequest, reply: Completion, delta: dict[str, str] | None, finish_reason: str | None = None
) -> bytes:
    choice: dict[str, object] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _completion("chat.completion.chunk", reply, [] if delta is None else [choice])
    if request.include_usage:  # the last chunk has no choice and the usage, the others a usage of null
        chunk["usage"] = _usage(reply) if delta is None else None
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def opening(request: ApiRequest, reply: Completion) -> bytes:
    """Spell the chunk that names the role."""
    return _chunk(request, reply, {"role": "assistant", "content": ""})


def piece(request: ApiRequest, reply: Completion, text: str) -> bytes:
    """Spell the chunk that carries a piece of the text."""
    return _chunk(request, reply, {"content": text})


def closing(request: ApiRequest, reply: Completion) -> bytes:
    """Spell the chunk with the finish reason, the usage if it was asked for, and the end mark."""
    usage = _chunk(request, reply, None) if request.include_usage else b""
    return _chunk(request, reply, {}, _finish_reason(reply)) + usage + b"data: [DONE]\n\n"


def error(rejection: Rejection, _request_id: str) -> bytes:
    """Spell an error; a spend limit is ``insufficient_quota`` in this dialect."""
    spent = rejection.code in _CODES_OF_SPEND
    code = "insufficient_quota" if spent else _ERROR_CODES.get(rejection.status)
    kind = "insufficient_quota" if spent else _ERROR_TYPES.get(rejection.status, "invalid_request_error")
    described = {"message": rejection.message, "type": kind, "param": None, "code": code}
    return msgspec.json.encode({"error": described})


def key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the token of ``authorization: Bearer``."""
    return headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode("latin-1") or None


def id_header(request_id: str) -> tuple[bytes, bytes]:
    """Return the header that names the request."""
    return b"x-request-id", request_id.encode()


def duration(seconds: float) -> str:
    """Spell a duration as the reset headers do: ``20ms``, ``1s``, ``6m0s``."""
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    larger = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{larger}{rest / 1_000:g}s"


def _limit_headers(kind: bytes, bucket: Bucket, now: float) -> RawHeaders:
    reading = bucket.read(now)
    return [
        (b"x-ratelimit-limit-" + kind, b"%d" % reading.limit),
        (b"x-ratelimit-remaining-" + kind, b"%d" % reading.remaining),
        (b"x-ratelimit-reset-" + kind, duration(reading.full_in).encode()),
    ]


def limit_headers(quota: Quota, now: float, _wall: float) -> RawHeaders:
    """Return the six headers; ``tokens`` is the bucket that the Messages API calls input tokens."""
    return [*_limit_headers(b"requests", quota.requests, now), *_limit_headers(b"tokens", quota.input, now)]
