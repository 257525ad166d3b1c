"""The OpenAI chat completions API: bodies, chunks, errors and headers. Pure.

The shapes are those of the provider's API reference. Its limits count the larger of ``max_tokens`` and an
estimate from the characters of the request, and they count failed requests, too.
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
_SPEND_LIMIT_CODES = ("enforced_spend_limit_reached", "contract_spend_limit_reached")


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class _Body(msgspec.Struct, kw_only=True):
    model: str
    messages: Annotated[list[Turn], msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, msgspec.Meta(ge=1)] | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


def parse(body: bytes) -> ApiRequest:
    """Parse the body of ``POST /v1/chat/completions``. Raises `Rejection` 400."""
    try:
        parsed = msgspec.json.decode(body, type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Rejection(status=400, message=str(error)) from error
    characters = sum(count_characters(turn.content) for turn in parsed.messages)
    max_tokens = parsed.max_completion_tokens or parsed.max_tokens
    return ApiRequest(
        model=parsed.model,
        digest=messages_digest(parsed.messages),
        input_tokens=count_tokens(characters),
        reserved_tokens=max(max_tokens or 0, count_tokens(characters)),
        max_tokens=max_tokens,
        stream=bool(parsed.stream),
        include_usage=parsed.stream_options is not None and parsed.stream_options.include_usage,
    )


def _usage(completion: Completion) -> dict[str, int]:
    prompt = completion.usage.input
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion.usage.output,
        "total_tokens": prompt + completion.usage.output,
    }


def _document(
    object_type: str, completion: Completion, choices: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "id": f"chatcmpl-{completion.id}",
        "object": object_type,
        "created": int(completion.created),
        "model": completion.model,
        "choices": choices,
    }


def _finish_reason(completion: Completion) -> str:
    return "length" if completion.truncated else "stop"


def encode(completion: Completion) -> bytes:
    """Encode the answer as one completion."""
    message = {"role": "assistant", "content": completion.text, "refusal": None}
    choice: dict[str, object] = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(completion),
    }
    return msgspec.json.encode(
        _document("chat.completion", completion, [choice]) | {"usage": _usage(completion)}
    )


def _chunk(
    request: ApiRequest,
    completion: Completion,
    delta: dict[str, str] | None,
    finish_reason: str | None = None,
) -> bytes:
    choice: dict[str, object] = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    chunk = _document("chat.completion.chunk", completion, [] if delta is None else [choice])
    if request.include_usage:  # only the last chunk has the usage, and it has no choice
        chunk["usage"] = _usage(completion) if delta is None else None
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def encode_opening(request: ApiRequest, completion: Completion) -> bytes:
    """Encode the chunk with the role."""
    return _chunk(request, completion, {"role": "assistant", "content": ""})


def encode_delta(request: ApiRequest, completion: Completion, text: str) -> bytes:
    """Encode a chunk with a part of the text."""
    return _chunk(request, completion, {"content": text})


def encode_closing(request: ApiRequest, completion: Completion) -> bytes:
    """Encode the chunk with the finish reason, the usage if it was requested, and the end marker."""
    usage = _chunk(request, completion, None) if request.include_usage else b""
    return _chunk(request, completion, {}, _finish_reason(completion)) + usage + b"data: [DONE]\n\n"


def encode_error(rejection: Rejection, _request_id: str) -> bytes:
    """Encode an error. A spend limit is ``insufficient_quota`` in this API."""
    spent = rejection.code in _SPEND_LIMIT_CODES
    code = "insufficient_quota" if spent else _ERROR_CODES.get(rejection.status)
    error_type = (
        "insufficient_quota" if spent else _ERROR_TYPES.get(rejection.status, "invalid_request_error")
    )
    error = {"message": rejection.message, "type": error_type, "param": None, "code": code}
    return msgspec.json.encode({"error": error})


def api_key(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the token of ``authorization: Bearer``."""
    return headers.get(b"authorization", b"").removeprefix(b"Bearer ").decode("latin-1") or None


def request_id_header(request_id: str) -> tuple[bytes, bytes]:
    """Return the header that carries the request id."""
    return b"x-request-id", request_id.encode()


def duration(seconds: float) -> str:
    """Format a duration as the reset headers do: ``20ms``, ``1s``, ``6m0s``."""
    milliseconds = round(seconds * 1_000)
    if milliseconds < 1_000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    larger = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "")
    return f"{larger}{rest / 1_000:g}s"


def _limit_headers(resource: bytes, bucket: Bucket, now: float) -> RawHeaders:
    state = bucket.state(now)
    return [
        (b"x-ratelimit-limit-" + resource, b"%d" % state.limit),
        (b"x-ratelimit-remaining-" + resource, b"%d" % state.remaining),
        (b"x-ratelimit-reset-" + resource, duration(state.full_in).encode()),
    ]


def rate_limit_headers(quota: Quota, now: float, _wall_time: float) -> RawHeaders:
    """Return the six headers. ``tokens`` is the bucket that the Messages API calls input tokens."""
    return [*_limit_headers(b"requests", quota.requests, now), *_limit_headers(b"tokens", quota.input, now)]
