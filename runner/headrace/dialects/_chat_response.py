"""What a response of an OpenAI-compatible server must contain to be a success.

Chat and text completions have choices, and each has a finish reason. A response (``/v1/responses``) has a
status. Embeddings have vectors. Of other endpoints any JSON object without an error is an answer.
"""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec

from headrace.job import UNKNOWN_USAGE, JobRequest, Success, Usage

from ._chat_endings import check_count, ending_of_body, first_reason, joined
from ._failures import NoAnswer
from ._finish_reasons import KNOWN_REASONS, Ending, FinishReasons
from ._json import encode, one_line
from ._judgement import AnswerRules, read_answer
from ._paths import last_segment
from ._usage import ChatUsage, chat_usage, read_chat_usage, read_embeddings_usage

_NULL: Final = msgspec.Raw(b"null")


class _Object(msgspec.Struct, gc=False):
    """Any object."""


class _Reply(msgspec.Struct, gc=False):
    error: None = None


class _Choice(msgspec.Struct, gc=False):
    finish_reason: str
    message: _Reply | None = None
    text: str | None = None
    error: None = None


class _Body(msgspec.Struct, gc=False):
    object: str | None = None
    choices: list[_Choice] = []
    status: str | None = None
    output: list[_Object] | None = None
    usage: ChatUsage | None = None
    service_tier: str | None = None
    x_groq: None = None
    error: None = None


class _Embedding(msgspec.Struct, gc=False):
    embedding: msgspec.Raw


class _Embeddings(msgspec.Struct, gc=False):
    data: list[_Embedding]
    usage: msgspec.Raw = _NULL
    error: None = None


_DECODE_BODY: Final = msgspec.json.Decoder(_Body).decode
_DECODE_EMBEDDINGS: Final = msgspec.json.Decoder(_Embeddings).decode


def chat_rules(reasons: FinishReasons) -> AnswerRules:
    """Return what an answer of an OpenAI-compatible server is, with the reasons that the run accepts."""

    def read(body: bytes, request: JobRequest | None) -> Success:
        """Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON."""
        if request is not None and last_segment(request.path) == "embeddings":
            return _read_embeddings(body, request)
        decoded = _DECODE_BODY(body)
        ending = _ending(decoded, reasons)
        usage = decoded.usage
        return Success(
            message=one_line(body),
            usage=UNKNOWN_USAGE if usage is None else chat_usage(usage, decoded.service_tier),
            stop_reason=ending.reason,
            truncated=ending.truncated,
            filtered=ending.filtered,
        )

    def ending(value: Any, request: JobRequest | None) -> Ending:
        return ending_of_body(value, request, reasons)

    return AnswerRules(read=read, ending=ending, usage=_usage)


_STOP: Final = Ending("stop")


def _ending(body: _Body, reasons: FinishReasons) -> Ending:
    """Return how an answer in the documented form ended. Raises `NoAnswer` for any other form."""
    if not body.choices:
        if body.status == "completed" and body.object == "response" and body.output is not None:
            return _STOP
        raise NoAnswer("no choices")
    endings: list[Ending] = []
    for choice in body.choices:
        ending = reasons.exact.get(choice.finish_reason)
        if ending is None or (choice.message is None and choice.text is None):
            raise NoAnswer("a choice of another form")
        endings.append(ending)
    return endings[0] if len(endings) == 1 else joined(endings)


def _read_embeddings(body: bytes, request: JobRequest) -> Success:
    """Return embeddings in the documented form: the vectors are skipped. Raises `NoAnswer` for any other."""
    decoded = _DECODE_EMBEDDINGS(body)
    if not all(map(_is_vector, decoded.data)):
        raise NoAnswer("an item of another form")
    check_count(len(decoded.data), request)
    return Success(
        message=one_line(body), usage=read_embeddings_usage(bytes(decoded.usage)), stop_reason=None
    )


def _is_vector(item: _Embedding) -> bool:
    """Return whether an item has numbers, or their bytes in base64, from its first byte and its length."""
    vector = memoryview(item.embedding)
    return len(vector) >= _SHORTEST and vector[0] in b'["'


_SHORTEST: Final = 6
"""Bytes of a vector that cannot be empty, white space included."""


def _usage(value: Any) -> Usage:
    if not isinstance(value, dict):
        return UNKNOWN_USAGE
    body = cast("dict[str, Any]", value)
    usage = encode(body.get("usage"))
    is_generated = "choices" in body or "output" in body or body.get("object") == "response"
    if not is_generated:
        return read_embeddings_usage(usage)
    return read_chat_usage(usage, encode(body.get("service_tier")), encode(body.get("x_groq")))


CHAT_RULES: Final = chat_rules(KNOWN_REASONS)


def read_chat_response(body: bytes) -> Success:
    """Return the success in a complete response body. Raises one of `DECODE_ERRORS` if it holds none."""
    return read_answer(body, CHAT_RULES)


def read_recorded_chat(body: bytes) -> Success:
    """Return the success in a recorded body, whose ending was judged when it was recorded.

    Raises one of `DECODE_ERRORS` if there is no body, or an error in it.
    """
    try:
        return read_chat_response(body)
    except NoAnswer:
        value = msgspec.json.decode(body)
        if not value:
            raise
        return Success(message=body, usage=_usage(value), stop_reason=first_reason(value))
