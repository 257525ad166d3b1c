"""The Anthropic Messages API: bodies, events, errors and headers. Pure.

The shapes are those of the provider's documentation of the Messages API, its streaming events, its errors
and its rate-limit headers.
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
from ._cache import cache_prefixes
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


def _check_messages(prompt: _Prompt) -> None:
    for index, turn in enumerate(prompt.messages):
        if turn.role not in ("user", "assistant"):
            raise Rejection(
                status=400, message=f"messages.{index}.role: Input should be 'user' or 'assistant'"
            )
        if not turn.content:
            raise Rejection(status=400, message=f"messages.{index}.content: Input should not be empty")


def _input_tokens(prompt: _Prompt) -> int:
    parts: tuple[object, ...] = (prompt.system, prompt.tools, [turn.content for turn in prompt.messages])
    return count_tokens(sum(map(count_characters, parts)))


def parse(body: bytes) -> ApiRequest:
    """Parse the body of ``POST /v1/messages``. Raises `Rejection` 400."""
    try:
        parsed = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    _check_messages(parsed)
    return ApiRequest(
        model=parsed.model,
        digest=messages_digest(parsed.messages),
        input_tokens=_input_tokens(parsed),
        reserved_tokens=count_tokens(len(body)),
        max_tokens=parsed.max_tokens,
        stream=parsed.stream,
        prefixes=_prefixes(parsed) if b'"cache_control"' in body else (),
    )


def _prefixes(parsed: _Prompt) -> tuple[Prefix, ...]:
    return cache_prefixes(parsed.system, parsed.tools, parsed.messages)


def encode_token_count(body: bytes) -> tuple[str, bytes]:
    """Return the model and the response body of ``POST /v1/messages/count_tokens``.

    Raises `Rejection` 400.
    """
    try:
        parsed = msgspec.json.decode(body, type=_Prompt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    _check_messages(parsed)
    return parsed.model, msgspec.json.encode({"input_tokens": _input_tokens(parsed)})


def _usage(usage: TokenCounts, output: int) -> dict[str, object]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_creation,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": output,
        "service_tier": "standard",
    }


def _message(
    completion: Completion, content: list[dict[str, str]], stop_reason: str | None, output: int
) -> dict[str, object]:
    return {
        "id": f"msg_{completion.id}",
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": _usage(completion.usage, output),
    }


def _stop_reason(completion: Completion) -> str:
    return "max_tokens" if completion.truncated else "end_turn"


def encode(completion: Completion) -> bytes:
    """Encode the answer as one message."""
    content = [{"type": "text", "text": completion.text}]
    return msgspec.json.encode(
        _message(completion, content, _stop_reason(completion), completion.usage.output)
    )


def _event(name: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))


def encode_opening(_request: ApiRequest, completion: Completion) -> bytes:
    """Encode ``message_start``, ``content_block_start`` and the ``ping`` that follows them."""
    return (
        _event("message_start", message=_message(completion, [], None, 1))
        + _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
        + _event("ping")
    )


def encode_delta(_request: ApiRequest, _completion: Completion, text: str) -> bytes:
    """Encode one ``content_block_delta``."""
    return _event("content_block_delta", index=0, delta={"type": "text_delta", "text": text})


def encode_closing(_request: ApiRequest, completion: Completion) -> bytes:
    """Encode ``content_block_stop``, ``message_delta`` and ``message_stop``."""
    delta = {"stop_reason": _stop_reason(completion), "stop_sequence": None}
    usage = {"output_tokens": completion.usage.output}
    return (
        _event("content_block_stop", index=0)
        + _event("message_delta", delta=delta, usage=usage)
        + _event("message_stop")
    )


def encode_error(rejection: Rejection, request_id: str) -> bytes:
    """Encode an error, with its machine-readable reason in ``error.details.error_code``."""
    error: dict[str, object] = {
        "type": _ERROR_TYPES.get(rejection.status, "api_error"),
        "message": rejection.message,
    }
    if rejection.code is not None:
        error["details"] = {"error_code": rejection.code}
    return msgspec.json.encode({"type": "error", "error": error, "request_id": request_id})


def api_key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the key of ``x-api-key``, or the token of ``authorization: Bearer``."""
    key = headers.get(b"x-api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    return key.decode("latin-1") or None


def request_id_header(request_id: str) -> tuple[bytes, bytes]:
    """Return the header that carries the request id."""
    return b"request-id", request_id.encode()


@lru_cache(maxsize=1_024)  # formatting would be a third of the cost of the headers
def _timestamp(second: int) -> bytes:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ").encode()


def _limit_headers(
    resource: bytes, bucket: Bucket, rounding: int, now: float, wall_time: float
) -> RawHeaders:
    state = bucket.state(now)
    prefix = b"anthropic-ratelimit-" + resource
    remaining = round(state.remaining / rounding) * rounding if rounding > 1 else int(state.remaining)
    return [
        (prefix + b"-limit", b"%d" % state.limit),
        (prefix + b"-remaining", b"%d" % remaining),
        (prefix + b"-reset", _timestamp(math.ceil(wall_time + state.full_in))),
    ]


def _fill_level(bucket: Bucket, now: float) -> float:
    return bucket.refill(now) / bucket.limit.depth


def rate_limit_headers(quota: Quota, now: float, wall_time: float) -> RawHeaders:
    """Return the twelve headers. Tokens are rounded to the nearest 1000, and resets are times of full refill.

    The three ``tokens`` headers repeat the more exhausted of input and output.
    """
    scarcer = min(quota.input, quota.output, key=lambda bucket: _fill_level(bucket, now))
    return [
        *_limit_headers(b"requests", quota.requests, 1, now, wall_time),
        *_limit_headers(b"input-tokens", quota.input, 1_000, now, wall_time),
        *_limit_headers(b"output-tokens", quota.output, 1_000, now, wall_time),
        *_limit_headers(b"tokens", scarcer, 1_000, now, wall_time),
    ]
