"""The arguments of a verb, checked and turned into the options of a request."""

from __future__ import annotations

import warnings
from typing import Any, TypedDict

from .options import Content, Files, FinalRequestOptions, RequestOptions


class RequestArguments(TypedDict, total=False):
    """What the verbs take in addition to a path and the type of the response."""

    body: object | None
    content: Content | None
    files: Files | None
    options: RequestOptions
    stream: bool
    stream_cls: type[Any] | None


_NAMES = frozenset(RequestArguments.__annotations__)


def final_options(method: str, path: str, call: RequestArguments) -> FinalRequestOptions:
    """Return the options of one request. Raises `TypeError` for unknown or conflicting arguments."""
    if unknown := call.keys() - _NAMES:
        raise TypeError(f"{method}() got an unexpected keyword argument {min(unknown)!r}")
    body, content, files = call.get("body"), call.get("content"), call.get("files")
    if content is not None and body is not None:
        raise TypeError("Passing both `body` and `content` is not supported")
    if content is not None and files is not None:
        raise TypeError("Passing both `files` and `content` is not supported")
    if isinstance(body, bytes):
        warnings.warn(
            "Passing raw bytes as `body` is deprecated and will be removed; pass them as `content` instead.",
            DeprecationWarning,
            stacklevel=4,
        )
        body, content = None, body
    return FinalRequestOptions(
        method=method, url=path, json_data=body, content=content, files=files, **call.get("options", {})
    )
