"""The body of a request in the form that the HTTP library takes: JSON, a form, raw content, or none."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from typing import Any, cast

import attrs

from headrace_client._wire.json import encode

from .multipart import Form, file_pairs, form_fields, is_form
from .options import FinalRequestOptions
from .querystring import Querystring

_CHUNK_SIZE = 65_536


@attrs.frozen
class Body:
    """The arguments of `httpx.Request` for the body. ``keeps_content_type``: whether the header fits it."""

    arguments: Mapping[str, Any]
    keeps_content_type: bool = True


def body_arguments(
    options: FinalRequestOptions,
    content_type: str | None,
    style: Querystring,
    *,
    asynchronous: bool,
    again: bool,
) -> Body:
    """Return the body of one attempt. ``again``: an earlier attempt may have read from a file.

    Raises `TypeError` or `ValueError` for a body that cannot be encoded, and what `merge_body` raises.
    """
    if options.method.lower() == "get":
        return Body({}, keeps_content_type=False)
    if options.content is not None:
        return Body({"content": _raw(options.content, asynchronous=asynchronous, again=again)})
    data = merge_body(options.json_data, options.extra_json)
    if options.files is not None or is_form(content_type):
        files = file_pairs(options.files or {})
        arguments = {"data": form_fields(data, style), "files": files or Form()}
        # Without a boundary, the header is left to httpx, which generates one.
        return Body(
            arguments, keeps_content_type=is_form(content_type) and "boundary=" in (content_type or "")
        )
    return Body({} if data is None else {"content": encode(data)})


def merge_body(body: object | None, extra: object | None) -> object | None:
    """Merge ``extra_body`` over the JSON body; its keys win. Without a body it is the body.

    Raises `TypeError` if it is not a mapping, `RuntimeError` if the body is not one.
    """
    if extra is None:
        return body
    if not isinstance(extra, Mapping):
        raise TypeError(f"`extra_body` must be a mapping, not {type(extra).__name__}")
    if body is None:
        return dict(cast("Mapping[str, object]", extra))
    if not isinstance(body, Mapping):
        raise RuntimeError(f"Cannot merge `extra_body` into a body of type {type(body).__name__}")  # noqa: TRY004  # the reference's class
    return {**cast("Mapping[str, object]", body), **cast("Mapping[str, object]", extra)}


def is_one_shot(content: Any) -> bool:
    """Return whether the content can be read only once, so a failed attempt cannot be repeated."""
    if content is None or isinstance(content, bytes | str):
        return False
    consumed = isinstance(content, Iterator | AsyncIterator) or hasattr(content, "read")
    return consumed and not _is_seekable(content)


def _is_seekable(content: Any) -> bool:
    """Return whether the content can be read again from its start; a pipe cannot."""
    if not hasattr(content, "seek") or hasattr(content, "__aiter__"):
        return False
    return content.seekable() if hasattr(content, "seekable") else True


def _raw(content: Any, *, asynchronous: bool, again: bool) -> Any:
    if isinstance(content, bytearray):
        return bytes(content)
    if again and _is_seekable(content):
        content.seek(0)
    if asynchronous and not isinstance(content, bytes | str) and not hasattr(content, "__aiter__"):
        return _chunks(content)
    return content


async def _chunks(content: Any) -> AsyncIterator[bytes]:
    """Iterate asynchronously over a file or an iterable; the asynchronous HTTP client takes neither."""
    if hasattr(content, "read"):
        while chunk := content.read(_CHUNK_SIZE):
            yield chunk
    else:
        for chunk in cast("Iterable[bytes]", content):
            yield chunk
