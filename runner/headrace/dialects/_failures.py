"""What a failed attempt was: a status, an error body or a transport error to a `Failure` (pure).

An error is told apart by its codes first, by its text last: providers answer several different things
with one status (a 429 says "slower", "less steep", "fewer at once" or "no money left").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs
import msgspec

from headrace.job import Failure, FailureKind
from headrace_client.lowlevel import AttemptTimedOut, Response, ResponseTooLarge, TransportError

from ._printable import MAX_EXCERPT, printable
from ._records import DECODE_ERRORS, encode

_SPEND_CODES: Final = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "insufficient_quota", "billing_error"}
)
_SPEND_TEXT: Final = re.compile(r"credit balance is too low", re.IGNORECASE)
_CONCURRENCY_TEXT: Final = re.compile(r"concurrent (connections|requests)", re.IGNORECASE)

# What an error inside a stream would have been as a status: the providers' tables of error types.
_STATUS_OF_TYPE: Final = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


@attrs.frozen(kw_only=True)
class ServerError:
    """What an error body says: its ``type``, its ``codes`` (the most telling first) and its text."""

    type: str = ""
    codes: tuple[str, ...] = ()
    text: str = ""
    request_id: str | None = None


def read_error(body: object) -> ServerError:
    """Return what a decoded error body says, in any of the shapes that servers give it.

    Anthropic: ``{"type":"error","error":{"type","message","details":{"error_code"}},"request_id"}``. OpenAI:
    ``{"error":{"message","type","code"}}``. Compatible servers: the inner object alone, or a mere string
    under ``error``, ``message`` or ``detail``.
    """
    outer = _object(body)
    inner = _object(outer.get("error")) or outer
    details = _object(inner.get("details"))
    codes = (_string(code) for code in (details.get("error_code"), inner.get("code"), inner.get("type")))
    texts = (_string(text) for text in (inner.get("message"), outer.get("error"), outer.get("detail")))
    return ServerError(
        type=_string(inner.get("type")),
        codes=tuple(filter(None, codes)),
        text=next(filter(None, texts), ""),
        request_id=_string(outer.get("request_id")) or None,
    )


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def classify(status: int, error: ServerError) -> FailureKind:
    """Return what kind of failure a status outside 2xx is, given what its body says."""
    if status == 402 or _SPEND_CODES.intersection(error.codes) or _SPEND_TEXT.search(error.text):
        return "spend_limit"
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if 300 <= status < 400:
        return "redirect"
    return "rejected" if 400 <= status < 500 else "server"


_KIND_OF_STATUS: Final[Mapping[int, FailureKind]] = {
    401: "credentials",
    403: "credentials",
    408: "server",
    409: "server",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}


def failure_from_answer(answer: Response) -> Failure:
    """Return what a response outside 2xx was."""
    value = _decoded(answer.body)
    error = read_error(value)
    if not error.text:
        error = attrs.evolve(error, text=answer.body[:MAX_EXCERPT].decode(errors="replace"))
    return _failure(
        answer.status,
        error,
        body=_excerpt(value),
        request_id=answer.request_id or error.request_id,
        # A gateway that gave up says nothing of the server behind it, which may work on.
        sent=answer.status in (502, 504),
    )


def failure_from_event(data: str | bytes) -> Failure:
    """Return what an error inside a stream was: as the same error would have been with its own status.

    The server had begun to answer, so the attempt may be billed.
    """
    value = _decoded(data)
    error = read_error(value)
    status = next((_STATUS_OF_TYPE[code] for code in error.codes if code in _STATUS_OF_TYPE), 500)
    return _failure(status, error, body=_excerpt(value), request_id=error.request_id, sent=True)


def _failure(
    status: int, error: ServerError, *, body: bytes | None, request_id: str | None, sent: bool
) -> Failure:
    kind = classify(status, error)
    code = next(iter(error.codes), None)
    if kind == "rate_limit" and _CONCURRENCY_TEXT.search(error.text):
        code = "concurrency"
    return Failure(
        kind=kind,
        message=printable(f"{status} {error.type}".rstrip() + f": {error.text or 'without a text'}"),
        status=status,
        body=body,
        request_id=_name(request_id),
        code=_name(code),
        sent=sent,
    )


def invalid_response(reason: str, answer: Response) -> Failure:
    """Return the failure of a 2xx response whose body is no answer; the server may have billed it."""
    value = _decoded(answer.body)
    error = read_error(value)
    text = error.text or answer.body[:MAX_EXCERPT].decode(errors="replace")
    return Failure(
        kind="invalid_response",
        message=printable(f"{answer.status} with a body that is no answer ({reason}): {text}"),
        status=answer.status,
        body=_excerpt(value),
        request_id=_name(answer.request_id),
        code=_name(next(iter(error.codes), None)),
    )


def failure_from_transport(error: TransportError) -> Failure:
    """Return what an attempt was that ended below HTTP's status codes."""
    kind: FailureKind = "connection"
    if isinstance(error, ResponseTooLarge):
        kind = "too_large"
    elif isinstance(error, AttemptTimedOut):
        kind = "timeout"
    return Failure(kind=kind, message=printable(str(error)) or type(error).__name__, sent=error.sent)


def _name(text: str | None) -> str | None:
    """Return an id or a code that a server gave, fit for a terminal."""
    return text and printable(text)


def _decoded(body: str | bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except DECODE_ERRORS:
        return None


def _excerpt(value: object) -> bytes | None:
    """Return a JSON object that is small enough to be kept whole, else None."""
    if not isinstance(value, dict):
        return None
    encoded = encode(cast("dict[str, object]", value))
    return encoded if len(encoded) <= MAX_EXCERPT else None
