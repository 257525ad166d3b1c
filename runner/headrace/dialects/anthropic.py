"""Lines of Anthropic's Message Batches: ``{"custom_id":"a-1","params":{...a Messages body...}}``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from headrace.job import JobRequest

from ._dialect import LineFormat
from ._lines import (
    check_fields,
    decode_object,
    identify_custom_id,
    keep_fields,
    require_unique,
    required_object,
    unreadable,
)
from ._messages_api import read_request
from ._options import RequestOptions, overrides, recipe, refuse_unused
from ._records import DECODE_ERRORS


class _Line(msgspec.Struct, gc=False):
    params: msgspec.Raw


_DECODE_LINE: Final = msgspec.json.Decoder(_Line).decode
_DECISIVE_KEYS: Final = re.compile(rb'"(?:custom_id|params|model|max_tokens|stream)"')


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the lines. Raises `RunRefused` for options that do not fit."""
    refuse_unused("anthropic", options, "prompt", "system", "id_field")
    body_keys = overrides(options)
    return LineFormat(
        name="anthropic",
        recipe=recipe("anthropic", options),
        identify=identify_custom_id,
        check_first=lambda line: check_fields(line, ("--keep", options.keep)),
        read=lambda line: read(line, options, body_keys),
    )


def read(line: bytes, options: RequestOptions, body_keys: Mapping[str, object]) -> JobRequest:
    """Return the line's request."""
    fields = decode_object(line)
    require_unique(line, _DECISIVE_KEYS)
    try:
        job = _DECODE_LINE(line)
    except DECODE_ERRORS as error:
        raise unreadable(error, line) from error
    return read_request(
        required_object(fields, "params"),
        bytes(job.params),
        body_keys,
        kept=keep_fields(fields, options.keep),
    )
