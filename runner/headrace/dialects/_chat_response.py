"""What the body of an OpenAI-compatible server's response must contain to be a success."""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.job import Success, Usage

from ._json import one_line


class _Cached(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    """The field names of chat completions and embeddings, and those of ``/v1/responses``."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Cached | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    input_tokens_details: _Cached | None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


class _Body(msgspec.Struct, gc=False):
    object: str | None = None
    choices: list[_Choice] | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_DECODE_BODY: Final = msgspec.json.Decoder(_Body).decode
_WITH_CHOICES: Final = frozenset({"chat.completion", "text_completion"})


def read_chat_response(body: bytes) -> Success:
    """Return the success in a complete response body. Raises one of `DECODE_ERRORS` if it holds none.

    Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON.
    """
    decoded = _DECODE_BODY(body)
    return Success(message=one_line(body), usage=_usage(decoded.usage), stop_reason=_stop_reason(decoded))


def _stop_reason(body: _Body) -> str | None:
    """Return why the model stopped. Raises `msgspec.ValidationError` if the body is not a success.

    Chat and text completions have choices, and each choice has a reason. A response (``/v1/responses``) has
    a status. Other objects (embeddings) are successes unless they say that they are errors.
    """
    if bytes(body.error) != b"null" or body.object == "error":
        raise msgspec.ValidationError("an error")
    if body.choices:
        return body.choices[0].finish_reason
    if body.choices is not None or body.object in _WITH_CHOICES:
        raise msgspec.ValidationError("no choices")
    if body.object == "response":
        return _status_reason(body)
    if body.object is None:
        raise msgspec.ValidationError("neither `choices` nor `object`")
    return None


def _status_reason(body: _Body) -> str | None:
    if body.status == "completed":
        return "stop"
    if body.status == "incomplete":
        return body.incomplete_details.reason if body.incomplete_details else None
    raise msgspec.ValidationError(f"a response with status {body.status}")


_NO_USAGE: Final = Usage()


def _usage(usage: _Usage | None) -> Usage:
    """Return the tokens with cache reads counted separately, as the Messages API does.

    This API's prompt tokens include the cached ones.
    """
    if usage is None:
        return _NO_USAGE
    details = usage.prompt_tokens_details or usage.input_tokens_details
    cached = (details and details.cached_tokens) or 0
    prompt = usage.prompt_tokens or usage.input_tokens or 0
    return Usage(
        input=max(prompt - cached, 0),
        output=usage.completion_tokens or usage.output_tokens or 0,
        cache_read=cached,
    )
