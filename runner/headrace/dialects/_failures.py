"""What a failed attempt was: a status, an error body or a transport error as a `Failure` (pure).

Error codes are looked at before texts: providers use one status for several different errors (a 429 may ask
for a lower rate, a less steep rise or fewer requests in flight, or say that the money has run out).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

import attrs
import msgspec

from headrace.job import Failure, FailureKind
from headrace_client.lowlevel import (
    AttemptTimedOut,
    Response,
    ResponseTooLarge,
    ServerError,
    TransportError,
    error_in,
    is_deep,
    lone_error,
    read_error,
    status_meaning,
)

from ._account_errors import is_account_error
from ._json import as_text, decode_or_none, encode, is_json, one_line
from ._printable import MAX_EXCERPT, printable

_CONCURRENCY_TEXT: Final = re.compile(r"concurrent (connections|requests)", re.IGNORECASE)


def classify(status: int, error: ServerError) -> FailureKind:
    """Return the kind of failure that a status outside 2xx and its error body stand for."""
    if is_account_error(status, error.codes, error.text):
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


MAX_ERROR_BODY: Final = 64 * 1024
"""Bytes of an error body that are read: decoding multiplies a body's memory."""


class NoAnswer(msgspec.ValidationError):
    """A 2xx body, or a stream, holds no whole answer.

    ``final``: the same request would not get another answer. ``code``: why, as a word.
    """

    def __init__(self, reason: str, *, code: str | None = None, final: bool = False) -> None:
        super().__init__(reason)
        self.code = code
        self.final = final


class ErrorInside(msgspec.ValidationError):
    """A 2xx body holds an error. ``error``: the part of it that does."""

    def __init__(self, error: Any) -> None:
        super().__init__("an error")
        self.error = error


def failure_from_response(response: Response) -> Failure:
    """Return the failure that a response outside 2xx is."""
    value = decode_or_none(response.body) if len(response.body) <= MAX_ERROR_BODY else None
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
    said = error_in(value) or value or (data if isinstance(data, str) else data.decode(errors="replace"))
    error = read_error(said)
    return _failure(error.status or 500, error, body=_excerpt(said), request_id=error.request_id, sent=True)


def refused(reason: Exception, body: bytes, *, status: int = 200, request_id: str | None = None) -> Failure:
    """Return the failure of a 2xx response whose body is not a success. It keeps the body.

    ``reason``: the error that reading raised. An error inside the body is the same failure as with the status
    that it names; it was not billed, unless an answer had begun. Anything else may have been billed.
    """
    value = decode_or_none(body)
    said = reason.error if isinstance(reason, ErrorInside) else _lone_error(value, body)
    error = read_error(said)
    begun = has_answer(value)
    if said is not None and error.status is not None:
        sent = begun or status_meaning(error.status).passed_on
        failure = _failure(
            error.status, error, body=_excerpt(said), request_id=request_id or error.request_id, sent=sent
        )
        is_kept = failure.body is not None and not begun
        return failure if is_kept else msgspec.structs.replace(failure, answer=kept_answer(body))
    return Failure(
        kind="rejected" if isinstance(reason, NoAnswer) and reason.final else "invalid_response",
        message=refusal(status, error.text or _beginning(body), str(reason)),
        status=status,
        body=_excerpt(said),
        request_id=_printable(request_id or error.request_id),
        code=_printable(next(iter(error.codes), None))
        or (reason.code if isinstance(reason, NoAnswer) else None),
        answer=kept_answer(body),
    )


def refusal(status: int, text: str, reason: str) -> str:
    """Return a message that quotes the server before it says what is wrong with that."""
    return printable(f"{status}: {printable(text)[:_QUOTED] or 'an empty body'} (not an answer: {reason})")


_QUOTED: Final = 1000
"""Characters of a server's text that leave room for our own."""


def _beginning(body: bytes) -> str:
    return body[:_QUOTED].decode(errors="replace")


def kept_answer(body: bytes) -> bytes | None:
    """Return a refused body as one line of JSON: as it came if that is JSON, else its text as a string."""
    if not body:
        return None
    if is_json(body) and not is_deep(body):
        return one_line(body)
    value = decode_or_none(body)
    return as_text(body) if value is None else encode(value)


def _lone_error(value: Any, body: bytes) -> Any:
    """Return what a body without an answer says, if it may be an error: an object, or a text.

    A page is none, and neither is the beginning of a JSON body: what an answer says is no error.
    """
    if value is None:
        text = body[:MAX_EXCERPT].decode(errors="replace").strip()
        return None if text.startswith(("<", "{", "[", '"')) else lone_error(text)
    return None if has_answer(value) else lone_error(value)


def has_answer(value: Any) -> bool:
    """Return whether a body holds a part of an answer."""
    return isinstance(value, dict) and any(cast("dict[str, Any]", value).get(key) for key in _ANSWER_KEYS)


_ANSWER_KEYS: Final = ("choices", "content", "output", "data", "candidates", "results")


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


def _excerpt(value: Any) -> bytes | None:
    """Return the server's error as one JSON object of at most 2 KB, None if it is not an object."""
    if isinstance(value, list):
        value = next(iter(cast("list[Any]", value)), None)
    if not isinstance(value, dict):
        return None
    body = cast("dict[str, Any]", value)
    encoded = encode(body)
    length = 1000
    while len(encoded) > MAX_EXCERPT and length:
        encoded = encode(_shortened(body, length))
        length //= 2
    return encoded


def _shortened(body: Mapping[str, Any], length: int) -> dict[str, Any]:
    """Return the parts of an error body that say what is wrong, with at most ``length`` characters each."""
    inner = body.get("error")
    error = cast("dict[str, Any]", inner) if isinstance(inner, dict) else body
    short = {
        key: value[:length] if isinstance(value, str) else value
        for key in ("type", "code", "status", "param", "message", "detail")
        if isinstance(value := error.get(key), str | int | float)
    }
    outer = {"type": "error"} if body.get("type") == "error" else {}
    return {**outer, "error": short}
