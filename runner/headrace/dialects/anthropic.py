"""Lines of Anthropic's Message Batches: ``{"custom_id":"a-1","params":{...a Messages body...}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from headrace.job import JobRequest
from headrace.policy.options import RequestOptions

from ._batch_lines import batch_line_format
from ._dialect import LineFormat
from ._lines import keep_fields, required_object
from ._messages_api import read_request


class _Line(msgspec.Struct, gc=False):
    params: msgspec.Raw


_DECODE_LINE: Final = msgspec.json.Decoder(_Line).decode


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the lines. Raises `RunRefused` for options that do not fit."""
    return batch_line_format("anthropic", options, decode=_DECODE_LINE, make_request=_make_request)


def _make_request(
    fields: dict[str, Any], line: _Line, options: RequestOptions, body_keys: Mapping[str, object]
) -> JobRequest:
    return read_request(
        required_object(fields, "params"),
        bytes(line.params),
        body_keys,
        kept=keep_fields(fields, options.keep),
    )
