"""Uploads: files and form fields as ``multipart/form-data`` (RFC 7578). Pure: the drivers read the files.

A file is bytes, a binary file object, a path (its name is sent), or a tuple (name, content[, type[,
headers]]) whose content is one of these.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

import attrs

from .options import Files
from .querystring import Querystring

FilePairs: TypeAlias = "list[tuple[str, Any]]"


def file_pairs(files: Files) -> FilePairs:
    """Return the files with their field names, in order. Raises `TypeError` for other values."""
    if not isinstance(files, Mapping | list | tuple):
        raise TypeError(f"Expected `files` to be a mapping or a list of pairs, not {type(files).__name__}")
    pairs: FilePairs = list(cast("Mapping[str, Any]", files).items() if isinstance(files, Mapping) else files)
    for name, file in pairs:
        _check(name, file)
    return pairs


def paths_in(pairs: FilePairs) -> list[os.PathLike[str]]:
    """Return the files that are given as paths and so have to be read."""
    return [content for _, file in pairs if isinstance(content := _content(file), os.PathLike)]


def with_contents(pairs: FilePairs, contents: Mapping[str, bytes]) -> FilePairs:
    """Return the files with each path replaced by its name and its content from ``contents``."""
    return [(name, _read(file, contents)) for name, file in pairs]


def _read(file: Any, contents: Mapping[str, bytes]) -> Any:
    content = _content(file)
    if not isinstance(content, os.PathLike):
        return file
    path = os.fspath(cast("os.PathLike[str]", content))
    if isinstance(file, tuple):
        return with_content(file, lambda _: contents[path])
    return (os.path.basename(path), contents[path])  # noqa: PTH119  # no need for an object


def with_content(file: Any, change: Callable[[Any], Any]) -> Any:
    """Return the file with its content changed. It keeps its name, which may be that of a file object."""
    if isinstance(file, tuple):
        name, content, *rest = cast("tuple[Any, ...]", file)
        return (name, change(content), *rest)
    if hasattr(file, "name"):
        return (os.path.basename(str(file.name)), change(file))  # noqa: PTH119  # as above
    return change(file)


def form_fields(data: object, style: Querystring) -> dict[str, str | list[str]]:
    """Return a JSON body as form fields: nested names in brackets, arrays as repeated ``name[]``.

    Raises `TypeError` unless it is a mapping or None.
    """
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise TypeError(f"Expected a mapping as the body of a form, not {type(data).__name__}")
    fields: dict[str, str | list[str]] = {}
    brackets = attrs.evolve(style, array_format="brackets")
    for name, value in brackets.pairs(cast("Mapping[str, object]", data)):
        match fields.get(name):
            case None:
                fields[name] = value
            case list() as values:
                values.append(value)
            case str() as first:
                fields[name] = [first, value]
    return fields


class Form(dict[str, Any]):
    """The files of a form without any. It is true, because httpx makes a form only if ``files`` is."""

    def __bool__(self) -> bool:
        return True


def is_form(content_type: str | None) -> bool:
    """Return whether a content type is that of a form."""
    return (content_type or "").lower().startswith("multipart/form-data")


def _content(file: Any) -> Any:
    return cast("tuple[Any, ...]", file)[1] if isinstance(file, tuple) else file


def _check(name: str, file: Any) -> None:
    content = (
        _content(file) if not isinstance(file, tuple) or len(cast("tuple[Any, ...]", file)) > 1 else None
    )
    if not isinstance(content, bytes | bytearray | memoryview | io.IOBase | os.PathLike) and not hasattr(
        content, "read"
    ):
        raise TypeError(
            "Expected file types input to be a FileContent type or to be a tuple; "
            f"the file {name!r} is of type {type(content).__name__}"
        )
