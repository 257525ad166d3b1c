"""The errors that responses stand for: by their status, inside a stream, and inside a 2xx body.

An error inside a 2xx response has no status of its own. Its ``status_code`` is the one that it names or
stands for; that of its ``response`` stays the 2xx.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast, get_args

import msgspec

from headrace_client._exceptions import APIStatusError, error_class
from headrace_client._wire.error_body import error_in, lone_error, read_error
from headrace_client._wire.json import decode

if TYPE_CHECKING:
    import httpx

_UNKNOWN = 500
"""The status of an error inside a 2xx body that names none: the request may be sent again."""


def status_error(response: httpx.Response) -> APIStatusError:
    """Make the error for a response with an error status, from its body if that has been read."""
    try:
        text = response.text.strip()
    except RuntimeError:  # httpx: the body was closed or broke off before it was read
        return _made(response, response.status_code, None, None)
    return _made(response, response.status_code, _decoded(text), text)


def event_error(response: httpx.Response, data: str) -> APIStatusError:
    """Make the error for an ``error`` event in a stream; what it names decides class and status."""
    body = _decoded(data)
    error = read_error(body)
    return _made(response, error.status or response.status_code, body, data)


def line_error(response: httpx.Response, value: object) -> APIStatusError | None:
    """Return the error that a line stands for in place of all lines, None if it does not."""
    if not isinstance(value, dict) or error_in(body := cast("dict[str, Any]", value)) is None:
        return None
    if not _ERROR_KEYS.issuperset(body):
        return None
    return _made(response, read_error(body).status or _UNKNOWN, body, None)


_ERROR_KEYS = frozenset({"type", "error", "request_id", "status", "code", "message"})
"""A line with any other key is that of a job, whatever it says about an error."""


def quoted(text: str | None) -> str:
    """Return what the server sent as the beginning of a message, in at most 200 characters of one line."""
    words = " ".join((text or "").split())
    return f'The server sent "{words if len(words) <= 200 else words[:200] + "..."}". ' if words else ""


def inner_error(response: httpx.Response) -> APIStatusError | None:
    """Return the error that the body of a 2xx response is, None if it is not one. The body has been read.

    Hot: most bodies are recognized by the keys that they have and lack. Inside a string, quotes are escaped.
    """
    content = response.content
    if b'"error"' not in content and any(key in content for key in _QUOTED_KEYS):
        return None
    try:
        body: Any = decode(content)
    except msgspec.DecodeError:
        return None
    if (error := error_in(body)) is not None:
        return _made(response, read_error(error).status or _UNKNOWN, body, None)
    if _has_answer(body) or lone_error(body) is None or (status := read_error(body).status) is None:
        return None
    return _made(response, status, body, None)


def _has_answer(body: object) -> bool:
    return isinstance(body, dict) and not _ANSWER_KEYS.isdisjoint(cast("dict[str, Any]", body))


_ANSWER_KEYS = frozenset({"content", "data", "input_tokens", "processing_status", "display_name"})
"""Each body of this API has at least one of them."""
_QUOTED_KEYS = tuple(f'"{key}"'.encode() for key in sorted(_ANSWER_KEYS))


def has_typed_body(cast_to: Any) -> bool:
    """Return whether a type, or that of a page's items, is one of this API's: no such body is an error."""
    return any(map(is_api_type, (cast_to, *get_args(cast_to))))


def is_api_type(cast_to: Any) -> bool:
    """Return whether a type is a response of this API."""
    return isinstance(cast_to, type) and cast_to.__module__.startswith("headrace_client.types")


def _made(response: httpx.Response, status: int, body: object, text: str | None) -> APIStatusError:
    decoded = body != text  # equal if there is no body, or if it is not JSON
    message = f"Error code: {status} - {body}" if decoded else text
    return error_class(status)(
        message or f"Error code: {status}", response=response, body=body, status_code=status
    )


def _decoded(text: str) -> object:
    try:
        return decode(text)
    except msgspec.DecodeError:
        return text
