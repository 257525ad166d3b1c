"""Lines that are bare bodies of the Messages API: ``{"model":"...","max_tokens":16,"messages":[...]}``."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.job import JobRequest
from headrace.policy.options import RequestOptions

from ._dialect import LineFormat
from ._lines import check_fields, decode_object, identify_by, keep_fields, require_unique
from ._messages_api import read_request
from ._options import id_fields, overrides, recipe, refuse_unused


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the lines. Raises `RunRefused` for options that do not fit."""
    refuse_unused("raw", options, "prompt", "system")
    body_keys = overrides(options)
    return LineFormat(
        name="raw",
        recipe=recipe("raw", options),
        identify=lambda line: identify_by(line, options.id_field),
        check_first=lambda line: check_fields(
            line, ("--id-field", id_fields(options)), ("--keep", options.keep)
        ),
        read=lambda line: _read(line, options, body_keys),
    )


def _read(line: bytes, options: RequestOptions, body_keys: Mapping[str, object]) -> JobRequest:
    fields = decode_object(line)
    require_unique(line, fields)
    return read_request(fields, line, body_keys, kept=keep_fields(fields, options.keep))
