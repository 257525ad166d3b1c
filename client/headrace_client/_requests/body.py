"""The body of a request in the form that the HTTP library takes: JSON, a form, raw content, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import attrs

from headrace_client._wire.encoding import encode

from .multipart import Form, file_pairs, form_fields, is_form, with_content
from .options import FinalRequestOptions
from .querystring import Querystring
from .replay import replayable_content, replayable_file


@attrs.frozen
class Body:
    """The arguments of `httpx.Request` for the body.

    ``keeps_content_type``: whether the header fits it. ``content_type``: of a form, instead of the header.
    """

    arguments: Mapping[str, Any]
    keeps_content_type: bool = True
    content_type: str | None = None


def replayable(options: FinalRequestOptions, *, asynchronous: bool, boundary: str) -> FinalRequestOptions:
    """Return the options of a request whose body is the same whenever it is sent: see `replay`.

    ``boundary``: between the parts of a form. Raises `TypeError` for text files.
    """
    options.encoded.begin(boundary)
    changes: dict[str, Any] = {}
    if options.content is not None:
        changes["content"] = replayable_content(options.content, asynchronous=asynchronous)
    if options.files is not None:
        pairs = file_pairs(options.files)
        changes["files"] = [(name, with_content(file, replayable_file)) for name, file in pairs]
    return options.replace(**changes) if changes else options  # replacing takes 10 us


def body_arguments(
    options: FinalRequestOptions, content_type: str | None, style: Querystring, *, asynchronous: bool
) -> Body:
    """Return the body of one attempt.

    Raises `TypeError` or `ValueError` for a body that cannot be encoded, and what `merge_body` raises.
    """
    if options.method.lower() == "get":
        return Body({}, keeps_content_type=False)
    if options.content is not None:
        return Body({"content": replayable_content(options.content, asynchronous=asynchronous)})
    encoded, values = options.encoded, (options.json_data, options.extra_json)
    if options.files is not None or is_form(content_type):
        fields = encoded.once(*values, lambda: form_fields(_merged(options), style))
        files = file_pairs(options.files or {})
        has_boundary = is_form(content_type) and "boundary=" in (content_type or "")
        return Body(
            {"data": fields, "files": files or Form()},
            # Without a boundary, the header is left to httpx, which generates one for each attempt.
            keeps_content_type=has_boundary,
            content_type=f"multipart/form-data; boundary={encoded.boundary}"
            if encoded.boundary and not has_boundary
            else None,
        )
    content = encoded.once(*values, lambda: _encoded(_merged(options)))
    return Body({} if content is None else {"content": content})


def _merged(options: FinalRequestOptions) -> object | None:
    return merge_body(options.json_data, options.extra_json)


def _encoded(data: object | None) -> bytes | None:
    return None if data is None else encode(data)


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
