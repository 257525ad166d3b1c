"""What an error says, in any of the forms that servers use, and whether a 2xx body is one (pure).

Anthropic: ``{"type":"error","error":{"type","message","details":{"error_code"}},"request_id"}``. OpenAI:
``{"error":{"message","type","code"}}``. Google: the same in an array, with ``status`` (a gRPC name).
OpenRouter: also inside a choice. vLLM: ``{"object":"error","message","code"}``. FastAPI:
``{"detail":[{"msg"}]}``. AWS: ``{"__type","Message"}``. MiniMax: ``base_resp``. Gateways: a text, or any of
these inside another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import attrs
import msgspec

from .error_names import status_of_name, status_of_text
from .json import decode

Json = Mapping[str, Any]

_MAX_NESTING: Final = 4
"""Gateways wrap the error of another server into their own."""
_INNER: Final = ("error", "errors", "Error", "message", "detail")
_TEXTS: Final = (
    "message",
    "Message",
    "msg",
    "error_message",
    "status_msg",
    "error_msg",
    "detail",
    "error",
    "title",
)
_STATUSES: Final = (
    "status",
    "status_code",
    "statusCode",
    "http_status",
    "code",
    "error_code",
    "type",
    "error",
)
_NAMES: Final = ("error_code", "code", "type", "status", "__type", "name")
_FINE: Final = frozenset({"", "0", "200", "ok", "success", "none", "null"})
"""Codes and texts by which servers say that there is no error."""


@attrs.frozen(kw_only=True)
class ServerError:
    """What an error says: its ``type``, its ``codes`` (the most specific first) and its text.

    ``status``: the HTTP status that it names or stands for, from 400 to 599; None if it names none.
    """

    type: str = ""
    codes: tuple[str, ...] = ()
    text: str = ""
    request_id: str | None = None
    status: int | None = None


def read_error(body: Any) -> ServerError:
    """Return what a decoded error body says. A body that is not an error says nothing."""
    layers = list(_layers(body))
    if not layers:
        text = _flat_text(body)
        return ServerError(text=text, status=status_of_text(text))
    outer, inner = layers[0], layers[-1]
    codes = tuple(dict.fromkeys(code for layer in reversed(layers[1:] or layers) for code in _codes(layer)))
    text = next((text for layer in reversed(layers) if (text := _text(layer))), "")
    return ServerError(
        type=_string(inner.get("type")),
        codes=codes,
        text=text,
        request_id=_string(outer.get("request_id")) or None,
        status=_status(layers, codes, text),
    )


def error_in(value: Any) -> Any:
    """Return the part of a decoded 2xx body that is an error, None if there is none.

    ``value``: a body, an event of a stream, or a chunk; the errors of its choices are found, too. An empty
    error is none: see `is_empty_error`.
    """
    match value:
        case [first, *_]:
            return error_in(first)
        case {"type": "error"} | {"object": "error"}:
            return value
        case {"error": error} if not is_empty_error(error):
            return value
        case {"x_groq": {"error": error}} if not is_empty_error(error):
            return {"error": error}
        case {"base_resp": {"status_code": code, **others}} if not is_empty_error(code):
            return {"error": {**others, "code": code}}
        case {"choices": [*choices]}:
            return next((error for choice in choices if (error := _error_of_choice(choice))), None)
        case _:
            return None


def lone_error(value: Any) -> Any:
    """Return the error that a decoded body without an answer is, although no key says that it is one.

    ``{"code":429,"message":".."}``, ``{"detail":".."}``, ``{"errors":[..]}`` or a mere text; else None.
    """
    match value:
        case str():
            return value.strip() or None
        case {"errors": [_, *_]}:
            return value
        case [first, *_]:
            return lone_error(first)
        case dict():
            return cast("Json", value) if _text(cast("Json", value)) else None
        case _:
            return None


def is_empty_error(error: Any) -> bool:
    """Return whether a value under a key such as ``error`` says that there is no error.

    None, False, an empty text or list, a code of 0 or 200, and objects of nothing else.
    """
    match error:
        case dict():
            return all(map(is_empty_error, cast("Json", error).values()))
        case list():
            return all(map(is_empty_error, cast("list[Any]", error)))
        case str():
            return error.strip().lower() in _FINE
        case None | False:
            return True
        case True:
            return False
        case _:
            return error in (0, 200)


def _error_of_choice(choice: Any) -> Any:
    match choice:
        case {"error": error} if not is_empty_error(error):
            return {"error": error}
        case {"message": {"error": error}} | {"delta": {"error": error}} if not is_empty_error(error):
            return {"error": error}
        case _:
            return None


def _layers(body: Any) -> Iterator[Json]:
    """Yield the objects of an error from the outermost to the innermost, which says the most."""
    for _ in range(_MAX_NESTING):
        match body:
            case [first, *_]:
                body = first
            case str():
                body = _json_text(body)
            case _:
                pass
        if not isinstance(body, dict):
            return
        layer = cast("Json", body)
        yield layer
        body = next(filter(None, map(layer.get, _INNER)), None)


def _json_text(text: str) -> Any:
    """Return the error of another server that a gateway passes on as text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return decode(text)
    except msgspec.DecodeError:
        return None


def _codes(layer: Json) -> Iterator[str]:
    match layer:
        case {"details": {"error_code": str(code)}}:
            yield code
        case _:
            pass
    for name in _NAMES:
        if (code := _string(layer.get(name))) and code != "error":
            yield code


def _text(layer: Json) -> str:
    texts = (_flat_text(layer.get(name)) for name in _TEXTS)
    return next(filter(None, texts), "")


def _flat_text(value: Any) -> str:
    """Return a text, or that of a list such as FastAPI's ``detail``."""
    match value:
        case str():
            return value.strip()
        case [{"msg": str(text)}, *_] | [{"message": str(text)}, *_] | [str(text), *_]:
            return text
        case _:
            return ""


def _status(layers: list[Json], codes: tuple[str, ...], text: str) -> int | None:
    """Return the status: a number comes first, then names, then what the text says."""
    for layer in reversed(layers):
        numbers = (_number(layer.get(name)) for name in _STATUSES)
        if (number := next(filter(None, numbers), None)) is not None:
            return number
    names = filter(None, map(status_of_name, codes))
    return next(names, None) or status_of_text(text)


def _number(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 16:
        value = int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 400 <= value <= 599:
        return int(value)
    return None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
