"""Dialects: each job format with the API that it is for, and the records that its jobs end in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headrace._exceptions import RunRefused
from headrace.policy.options import RequestOptions

from . import anthropic, openai, raw, rows
from ._chat_api import ChatDialect
from ._dialect import Assembler, Dialect, LineFormat
from ._failures import failure_from_redirect, failure_from_transport
from ._finish_reasons import KNOWN_REASONS, FinishReasons
from ._json import is_json
from ._lines import decode_object
from ._messages_api import MessagesDialect
from ._options import read_settings
from ._printable import redact
from ._streams import judge_any_form, judge_cut
from .records import (
    BadRecord,
    RecordedResult,
    RecordedUsage,
    RecordIdentity,
    read_identity,
    read_result,
    read_usage,
)

__all__ = [
    "Assembler",
    "BadRecord",
    "Dialect",
    "LineFormat",
    "RecordIdentity",
    "RecordedResult",
    "RecordedUsage",
    "detect",
    "failure_from_redirect",
    "failure_from_transport",
    "is_json",
    "judge_any_form",
    "judge_cut",
    "make_dialect",
    "read_identity",
    "read_result",
    "read_settings",
    "read_usage",
    "redact",
]


def _reasons(options: RequestOptions) -> FinishReasons:
    return FinishReasons.of(options.accept_finish_reasons) if options.accept_finish_reasons else KNOWN_REASONS


_MAKERS: Final[Mapping[str, Callable[[RequestOptions], Dialect]]] = {
    "anthropic": lambda options: MessagesDialect(anthropic.line_format(options), _reasons(options)),
    "openai": lambda options: ChatDialect(openai.line_format(options), _reasons(options)),
    "raw": lambda options: MessagesDialect(raw.line_format(options), _reasons(options)),
    "rows": lambda options: MessagesDialect(rows.line_format(options), _reasons(options)),
}

_BEDROCK = (
    "lines of Bedrock batch inference (modelInput) cannot be sent; "
    'convert them to {"custom_id": .., "params": ..} lines that name a model'
)


def make_dialect(name: str, options: RequestOptions) -> Dialect:
    """Return the dialect with this name. Raises `RunRefused` if there is none or the options do not fit."""
    if name == "bedrock":
        raise RunRefused(_BEDROCK)
    if name not in _MAKERS:
        raise RunRefused(f"unknown input format {name!r}: use one of {', '.join(_MAKERS)}")
    return _MAKERS[name](options)


def detect(line: bytes, options: RequestOptions) -> str:
    """Return the name of the dialect that the first line of the input is in.

    Raises `RunRefused` if no dialect fits, and `BadLine` if the line is not a JSON object: try the next line.
    """
    keys = decode_object(line).keys()
    if "modelInput" in keys:
        raise RunRefused(_BEDROCK)
    for name, needed in _WHOLE_REQUESTS.items():
        if needed <= keys:
            return name
    if options.prompt is not None:
        return "rows"
    if "messages" in keys:
        return "raw"
    raise RunRefused(
        "the first line is not a request in a known format; for rows of data, use --prompt "
        "'... {field} ...', otherwise name the format with --input-format"
    )


_WHOLE_REQUESTS: Final = {
    "anthropic": {"custom_id", "params"},
    "openai": {"custom_id", "method", "url", "body"},
}
