"""The body of a response, after reading, as the type that the caller requested.

1. JSON that does not fit is kept as it is, or is an error in strict mode.
2. A body that is not JSON, although a model was requested, becomes its text (unless strict): other APIs
   respond to health checks that way. The responses of this API are always JSON, so there a page from a proxy
   is an error.
3. JSON that has nothing of the requested type of this API is an error as well: a `Message` of Nones is no
   answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, cast, get_args, get_origin

import msgspec

from headrace_client._exceptions import APIResponseValidationError
from headrace_client._models.base_model import BaseModel, with_request_id
from headrace_client._models.construct import construct, unwrapped
from headrace_client._wire.json import decode
from headrace_client._wire.media_types import is_event_stream
from headrace_client._wire.stream_event import StreamEvent
from headrace_client._wire.whole_message import message_from_events

from .errors import event_error, is_api_type

if TYPE_CHECKING:
    import httpx


def cast_response(response: httpx.Response, cast_to: Any, *, strict: bool) -> Any:
    """Return the body as ``cast_to``.

    Raises `APIResponseValidationError` if the body does not have that type, and `TypeError`, `ValueError` or
    `RuntimeError` for a type that no body can have.
    """
    cast_to = unwrapped(cast_to)
    if not _is_model(cast_to):
        if cast_to in (None, NoneType):
            return None
        if cast_to is bytes:
            return response.content
        if cast_to in _FROM_TEXT:
            return _from_text(response, cast_to)
        if _is_http_response(cast_to):
            return _http_response(response, cast_to)
        _check_type(cast_to)
        if not _is_json(response):
            return _as_text(response, cast_to, strict, None)
    try:
        value = decode(response.content)
    except msgspec.DecodeError as error:
        if (message := _from_events(response)) is not None:
            return cast_value(message, cast_to, response, strict=strict)
        if _is_json(response):
            raise APIResponseValidationError(response, response.text) from error
        return _as_text(response, cast_to, strict, error)
    if is_api_type(cast_to):
        value = _recognized(value, cast_to, response, strict=strict)
    return cast_value(value, cast_to, response, strict=strict)


def is_strict(client: Any) -> bool:
    """Return whether the client accepts only responses of exactly the requested type."""
    return client._strict_response_validation  # noqa: SLF001  # the reference's name, and so the users'


def cast_value(value: Any, cast_to: Any, response: httpx.Response, *, strict: bool) -> Any:
    """Return JSON of ``response`` as ``cast_to``. Raises `APIResponseValidationError`, only if ``strict``."""
    try:
        built = construct(value, cast_to, strict=strict)
    except msgspec.ValidationError as error:
        raise APIResponseValidationError(response, value) from error
    if isinstance(built, BaseModel):
        return with_request_id(built, _request_id(response))
    return built


def _recognized(value: Any, cast_to: type[msgspec.Struct], response: httpx.Response, *, strict: bool) -> Any:
    """Return JSON that has something of ``cast_to``. Raises `APIResponseValidationError` for any other.

    The content of a message may be a mere text, as some gateways send it: it becomes a block.
    """
    fields: dict[str, Any] = _members(value)
    if not any(fields.get(name) is not None for name in _required(cast_to)):
        message = f"The response is not a {cast_to.__name__}: it has none of its required fields."
        raise APIResponseValidationError(response, value, message=message)
    if "content" not in _required(cast_to):
        return fields
    match fields.get("content"):
        case list():
            return fields
        case str(text) if not strict:
            return {**fields, "content": [{"type": "text", "text": text}]}
        case _:
            message = f"The response is not a {cast_to.__name__}: it has no content."
            raise APIResponseValidationError(response, value, message=message)


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


@lru_cache(maxsize=256)
def _required(cast_to: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(field.encode_name for field in msgspec.structs.fields(cast_to) if field.required)


def _request_id(response: httpx.Response) -> str | None:
    """Return the API's id of the request; a `LazyResponse` finds it without parsing all headers."""
    known: str | None = getattr(response, "request_id", None)
    return known or response.headers.get("request-id")


def _to_bool(text: str) -> bool:
    return text.lower() == "true"


_FROM_TEXT: dict[Any, Any] = {str: str, int: int, float: float, bool: _to_bool}


def _from_text(response: httpx.Response, cast_to: Any) -> Any:
    try:
        return _FROM_TEXT[cast_to](response.text)
    except ValueError as error:
        raise APIResponseValidationError(response, response.text) from error


def _is_http_response(cast_to: Any) -> bool:
    lineage = getattr(cast_to, "__mro__", ())
    return any(cls.__module__.startswith("httpx") and cls.__name__ == "Response" for cls in lineage)


def _http_response(response: httpx.Response, cast_to: Any) -> httpx.Response:
    if type(response) is not cast_to and not cast_to.__module__.startswith("httpx"):
        raise ValueError("Subclasses of httpx.Response cannot be passed to `cast_to`")
    return response


def _check_type(cast_to: Any) -> None:
    """Raise `TypeError` or `RuntimeError` for a class that this client cannot build."""
    origin = get_origin(cast_to) or cast_to
    if not isinstance(origin, type) or issubclass(origin, msgspec.Struct | Enum | UnionType):
        return
    if any(cls.__module__.partition(".")[0] == "pydantic" for cls in origin.__mro__):
        raise TypeError("Pydantic models cannot be built; subclass `headrace_client.BaseModel` instead")
    unknown = isinstance(msgspec.inspect.type_info(origin), msgspec.inspect.CustomType)
    if unknown and origin is not object:
        raise RuntimeError(f"A response cannot be cast to {origin!r}")  # the reference's class


def _is_json(response: httpx.Response) -> bool:
    media_type = response.headers.get("content-type", "").partition(";")[0]
    return media_type.strip().lower().endswith("json")


def _from_events(response: httpx.Response) -> Mapping[str, Any] | None:
    """Return the message in a body of events, which some gateways send to a caller who did not ask for it.

    Raises the `APIStatusError` of an error event.
    """
    if not is_event_stream(response.headers.get("content-type", ""), response.content):
        return None
    message = message_from_events(response.content)
    if isinstance(message, StreamEvent):
        raise event_error(response, message.text)
    return message


def _is_model(cast_to: Any) -> bool:
    origin = get_origin(cast_to) or cast_to
    if origin is Union or origin is UnionType:
        return any(_is_model(unwrapped(member)) for member in get_args(cast_to))
    return isinstance(origin, type) and issubclass(origin, msgspec.Struct)


def _as_text(response: httpx.Response, cast_to: Any, strict: bool, cause: Exception | None) -> str:
    if strict or getattr(cast_to, "__module__", "").startswith("headrace_client."):
        kind = response.headers.get("content-type")
        message = f"Expected JSON of type {cast_to!r}, but the content type of the response is {kind!r}."
        raise APIResponseValidationError(response, response.text, message=message) from cause
    return response.text
