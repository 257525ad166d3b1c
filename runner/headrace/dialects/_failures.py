"""What a failed attempt was: a status, an error body or a transport error as a `Failure` (pure).

Error codes are looked at before texts: providers use one status for several different errors (a 429 may ask
for a lower rate, a less steep rise or fewer requests in flight, or say that the money has run out).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from headrace.job import Failure, FailureKind
from headrace_client.lowlevel import (
    STATUS_BY_TYPE,
    AttemptTimedOut,
    Response,
    ResponseTooLarge,
    TransportError,
    status_meaning,
)

from ._json import decode_or_none, encode
from ._printable import MAX_EXCERPT, printable

_SPEND_CODES: Final = frozenset(
    {"enforced_spend_limit_reached", "contract_spend_limit_reached", "insufficient_quota", "billing_error"}
)
_SPEND_TEXT: Final = re.compile(r"credit balance is too low", re.IGNORECASE)
_CONCURRENCY_TEXT: Final = re.compile(r"concurrent (connections|requests)", re.IGNORECASE)

# OpenAI's: https://platform.openai.com/docs/guides/error-codes
_STATUS_BY_TYPE: Final = {**STATUS_BY_TYPE, "insufficient_quota": 429, "server_error": 500}


@attrs.frozen(kw_only=True)
class ServerError:
    """What an error body says: its ``type``, its ``codes`` (the most specific first) and its text."""

    type: str = ""
    codes: tuple[str, ...] = ()
    text: str = ""
    request_id: str | None = None


def read_error(body: object) -> ServerError:
    """Return what a decoded error body says, in any of the forms that servers use.

    Anthropic: ``{"type":"error","error":{"type","message","details":{"error_code"}},"request_id"}``. OpenAI:
    ``{"error":{"message","type","code"}}``. Compatible servers: only the inner object, or just a string
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
    """Return the kind of failure that a status outside 2xx and its error body stand for."""
    if status == 402 or _SPEND_CODES.intersection(error.codes) or _SPEND_TEXT.search(error.text):
        return "spend_limit"
    if status in _KIND_OF_STATUS:
        return _KIND_OF_STATUS[status]
    if 300 <= status < 400:
        return "redirect"
    return "server" if status_meaning(status).may_pass else "rejected"


_KIND_OF_STATUS: Final[Mapping[int, FailureKind]] = {
    401: "credentials",
    403: "credentials",
    429: "rate_limit",
    498: "overloaded",
    503: "overloaded",
    529: "overloaded",
}


def failure_from_response(response: Response) -> Failure:
    """Return the failure that a response outside 2xx is."""
    value = decode_or_none(response.body)
    error = read_error(value)
    if not error.text:
        error = attrs.evolve(error, text=response.body[:MAX_EXCERPT].decode(errors="replace"))
    return _failure(
        response.status,
        error,
        body=_excerpt(value),
        request_id=response.request_id or error.request_id,
        sent=status_meaning(response.status).passed_on,
    )


def failure_from_event(data: str | bytes) -> Failure:
    """Return the failure that an error event in a stream is, as if the error had come with its own status.

    The server had started to answer, so the attempt may be billed.
    """
    value = decode_or_none(data)
    error = read_error(value)
    status = next((_STATUS_BY_TYPE[code] for code in error.codes if code in _STATUS_BY_TYPE), 500)
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
        message=printable(
            f"{status} {error.type}".rstrip() + f": {error.text or 'the server gave no reason'}"
        ),
        status=status,
        body=body,
        request_id=_printable(request_id),
        code=_printable(code),
        sent=sent,
    )


def invalid_response(reason: str, response: Response) -> Failure:
    """Return the failure of a 2xx response whose body is not a success; the server may have billed it."""
    value = decode_or_none(response.body)
    error = read_error(value)
    text = error.text or response.body[:MAX_EXCERPT].decode(errors="replace")
    return Failure(
        kind="invalid_response",
        message=printable(f"{response.status} with an invalid body ({reason}): {text}"),
        status=response.status,
        body=_excerpt(value),
        request_id=_printable(response.request_id),
        code=_printable(next(iter(error.codes), None)),
    )


def failure_from_transport(error: TransportError) -> Failure:
    """Return the failure of an attempt that got no response."""
    kind: FailureKind = "connection"
    if isinstance(error, ResponseTooLarge):
        kind = "too_large"
    elif isinstance(error, AttemptTimedOut):
        kind = "timeout"
    return Failure(kind=kind, message=printable(str(error)) or type(error).__name__, sent=error.sent)


def failure_from_redirect(response: Response, reason: str) -> Failure:
    """Return the failure of a redirect that is not followed. ``reason``: names its target."""
    return Failure(
        kind="redirect",
        message=printable(f"{response.status}: {reason}"),
        status=response.status,
        request_id=_printable(response.request_id),
        sent=False,
    )


def _printable(text: str | None) -> str | None:
    """Return an id or code from a server, safe for a terminal."""
    return text and printable(text)


def _excerpt(value: object) -> bytes | None:
    """Return a JSON object that is small enough to keep whole, else None."""
    if not isinstance(value, dict):
        return None
    encoded = encode(cast("dict[str, object]", value))
    return encoded if len(encoded) <= MAX_EXCERPT else None
