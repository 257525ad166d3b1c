"""What an answer of an OpenAI-compatible server must have to be one (P16)."""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.job import Success, Usage

from ._records import one_line


class _Cached(msgspec.Struct, gc=False):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct, gc=False):
    """The names of chat completions and embeddings, and those of responses."""

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


class _Answer(msgspec.Struct, gc=False):
    object: str | None = None
    choices: list[_Choice] | None = None
    status: str | None = None
    incomplete_details: _Incomplete | None = None
    usage: _Usage | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")


_DECODE_ANSWER: Final = msgspec.json.Decoder(_Answer).decode
_WITH_CHOICES: Final = frozenset({"chat.completion", "text_completion"})


def read_answer(body: bytes) -> Success:
    """Return the success that a whole answer is. Raises one of `DECODE_ERRORS`.

    Hot: only these fields are decoded, the rest is skipped (and checked by that to be JSON).
    """
    answer = _DECODE_ANSWER(body)
    return Success(message=one_line(body), usage=_usage(answer.usage), stop_reason=_stop_reason(answer))


def _stop_reason(answer: _Answer) -> str | None:
    """Return why the model stopped. Raises `msgspec.ValidationError` if the answer is none.

    Chat and text completions have choices, and every choice a reason. A response (``/v1/responses``) has a
    status. Other objects (embeddings) are answers if they do not say that they are errors.
    """
    if bytes(answer.error) != b"null" or answer.object == "error":
        raise msgspec.ValidationError("an error")
    if answer.choices:
        return answer.choices[0].finish_reason
    if answer.choices is not None or answer.object in _WITH_CHOICES:
        raise msgspec.ValidationError("no choices")
    if answer.object == "response":
        return _response_stop_reason(answer)
    if answer.object is None:
        raise msgspec.ValidationError("neither `choices` nor `object`")
    return None


def _response_stop_reason(answer: _Answer) -> str | None:
    if answer.status == "completed":
        return "stop"
    if answer.status == "incomplete":
        return answer.incomplete_details.reason if answer.incomplete_details else None
    raise msgspec.ValidationError(f"a response with status {answer.status}")


_NO_USAGE: Final = Usage()


def _usage(usage: _Usage | None) -> Usage:
    """Return the tokens, cache reads apart as in the other API (this one's sum of the prompt has both)."""
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
