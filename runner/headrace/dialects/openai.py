"""Lines of OpenAI's batch input: ``{"custom_id":"a-1","method":"POST","url":"/v1/...","body":{...}}``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec

from headrace._exceptions import BadLine
from headrace.job import JobRequest
from headrace.policy.options import RequestOptions

from ._batch_lines import batch_line_format
from ._dialect import LineFormat
from ._lines import keep_fields, optional, required_model, required_object
from ._output_limits import choices, endpoint_at, limit_name, max_tokens, service_tier, set_limit
from ._paths import check_path, last_segment

_STREAMED: Final = frozenset({"completions", "responses"})
"""The last segments of the paths whose answers can be streamed."""


class _Line(msgspec.Struct, gc=False):
    method: Literal["POST"]
    url: str
    body: msgspec.Raw
    custom_id: str | None = None


_DECODE_LINE: Final = msgspec.json.Decoder(_Line).decode


def line_format(options: RequestOptions) -> LineFormat:
    """Return how to read the lines. Raises `RunRefused` for options that do not fit."""
    return batch_line_format("openai", options, decode=_DECODE_LINE, make_request=_make_request)


def _make_request(
    fields: dict[str, Any], line: _Line, options: RequestOptions, body_keys: Mapping[str, object]
) -> JobRequest:
    body = required_object(fields, "body")
    path = check_path(line.url)
    endpoint = endpoint_at(path)
    changes = _changes(body, path, options, body_keys)
    changed = {**body, **changes} if changes else body
    limit = max_tokens(changed, endpoint)
    return JobRequest(
        path=path,
        body=msgspec.json.encode(changed) if changes else bytes(line.body),
        model=required_model(changed),
        max_tokens=limit,
        limit_name=limit_name(changed, endpoint) if limit is None else endpoint.keys[-1],
        choices=choices(changed),
        service_tier=service_tier(changed),
        stream=optional(changed, "stream", bool) or False,
        kept=keep_fields(fields, options.keep),
    )


def _changes(
    body: Mapping[str, Any], path: str, options: RequestOptions, body_keys: Mapping[str, object]
) -> dict[str, object]:
    """Return the keys to set in a body: those of the options, and what a stream needs to report its usage."""
    changes = dict(body_keys)
    if options.max_tokens is not None:
        del changes["max_tokens"]
        if (endpoint := endpoint_at(path)).has_output:
            changes |= set_limit({**body, **changes}, endpoint, options.max_tokens)
    if changes.get("stream", body.get("stream")) is True:
        if last_segment(path) not in _STREAMED:
            raise BadLine(
                "only /v1/chat/completions, /v1/completions and /v1/responses can be streamed; "
                'leave out "stream"'
            )
        if last_segment(path) == "completions":  # a response always reports its usage
            changes |= _with_usage(changes.get("stream_options", body.get("stream_options")))
    return changes


def _with_usage(stream_options: object) -> dict[str, object]:
    """Return what makes the last chunk report the usage, unless the line already decides about that."""
    options = cast("dict[str, object]", stream_options) if isinstance(stream_options, dict) else {}
    if "include_usage" in options:
        return {}
    return {"stream_options": {**options, "include_usage": True}}
