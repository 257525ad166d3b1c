"""What the body of an OpenAI-compatible server's response must contain to be a success."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from headrace.job import Success

from ._json import one_line
from ._usage import ChatUsage, chat_usage, read_chat_usage, read_embeddings_usage

_NULL: Final = msgspec.Raw(b"null")


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str


class _Incomplete(msgspec.Struct, gc=False):
    reason: str | None = None


_UsageT = TypeVar("_UsageT")
_TierT = TypeVar("_TierT")


class _Body(msgspec.Struct, Generic[_UsageT, _TierT], gc=False):
    object: str | None = None
    choices: list[_Choice] | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: _UsageT = cast("Any", None)
    service_tier: _TierT = cast("Any", None)
    x_groq: msgspec.Raw = _NULL
    error: msgspec.Raw = _NULL


_DECODE_BODY: Final = msgspec.json.Decoder(_Body[ChatUsage | None, str | None]).decode
_DECODE_LENIENTLY: Final = msgspec.json.Decoder(_Body[msgspec.Raw, msgspec.Raw]).decode
_WITH_CHOICES: Final = frozenset({"chat.completion", "text_completion"})


def read_chat_response(body: bytes) -> Success:
    """Return the success in a complete response body. Raises one of `DECODE_ERRORS` if it holds none.

    Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON.
    """
    try:
        decoded = _DECODE_BODY(body)
    except msgspec.ValidationError:
        return _read_leniently(body)
    if decoded.usage is None or decoded.object == "list":
        return _read_leniently(body)
    usage = chat_usage(decoded.usage, decoded.service_tier)
    return Success(message=one_line(body), usage=usage, stop_reason=_stop_reason(decoded))


def _read_leniently(body: bytes) -> Success:
    decoded = _DECODE_LENIENTLY(body)
    raw = bytes(decoded.usage or _NULL)
    msgspec.json.decode(raw)  # raises for a number that no JSON reader takes
    if decoded.object == "list":
        usage = read_embeddings_usage(raw)
    else:
        usage = read_chat_usage(raw, bytes(decoded.service_tier or _NULL), bytes(decoded.x_groq))
    return Success(message=one_line(body), usage=usage, stop_reason=_stop_reason(decoded))


def _stop_reason(body: _Body[Any, Any]) -> str | None:
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


def _status_reason(body: _Body[Any, Any]) -> str | None:
    if body.status == "completed":
        return "stop"
    if body.status == "incomplete":
        return body.incomplete_details.reason if body.incomplete_details else None
    raise msgspec.ValidationError(f"a response with status {body.status}")
