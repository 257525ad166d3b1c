"""What the two batch formats share: a line is an object with an id and the whole body of its request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from headrace.job import JobRequest
from headrace.policy.options import RequestOptions

from ._dialect import LineFormat
from ._json import DECODE_ERRORS
from ._lines import check_fields, decode_object, identify_custom_id, require_unique, unreadable
from ._options import overrides, recipe, refuse_unused

_Line = TypeVar("_Line", bound=msgspec.Struct)


def batch_line_format(
    name: str,
    options: RequestOptions,
    *,
    decode: Callable[[bytes], _Line],
    make_request: Callable[[dict[str, Any], _Line, RequestOptions, Mapping[str, object]], JobRequest],
) -> LineFormat:
    """Return how to read the lines of a batch format. Raises `RunRefused` for options that do not fit.

    ``decode``: gives the line's body as raw bytes. ``make_request``: takes the line's fields, what ``decode``
    gave, the options, and the keys of the body that they override.
    """
    refuse_unused(name, options, "prompt", "system", "id_field")
    body_keys = overrides(options)

    def read(line: bytes) -> JobRequest:
        fields = decode_object(line)
        require_unique(line, fields)
        try:
            decoded = decode(line)
        except DECODE_ERRORS as error:
            raise unreadable(error, line) from error
        return make_request(fields, decoded, options, body_keys)

    return LineFormat(
        name=name,
        recipe=recipe(name, options),
        identify=identify_custom_id,
        check_first=lambda line: check_fields(line, ("--keep", options.keep)),
        read=read,
    )
