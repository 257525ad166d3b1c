"""Dialects: each job format with the API it is for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from headrace._exceptions import RunRefused

from . import anthropic, openai, raw, rows
from ._chat_api import ChatDialect
from ._dialect import Assembler, Dialect
from ._failures import failure_from_transport
from ._lines import decode_object
from ._messages_api import MessagesDialect
from ._options import RequestOptions
from ._printable import redact
from ._recorded_usage import RecordedUsage, read_recorded_usage
from ._records import BadRecord, RecordIdentity, read_identity

__all__ = [
    "DIALECT_NAMES",
    "Assembler",
    "BadRecord",
    "RecordedUsage",
    "Dialect",
    "RecordIdentity",
    "RequestOptions",
    "detect",
    "failure_from_transport",
    "make_dialect",
    "read_recorded_usage",
    "read_identity",
    "redact",
]

_MAKERS: Final[Mapping[str, Callable[[RequestOptions], Dialect]]] = {
    "anthropic": lambda options: MessagesDialect(anthropic.line_format(options)),
    "openai": lambda options: ChatDialect(openai.line_format(options)),
    "raw": lambda options: MessagesDialect(raw.line_format(options)),
    "rows": lambda options: MessagesDialect(rows.line_format(options)),
}

DIALECT_NAMES: Final = tuple(_MAKERS)

_BEDROCK = (
    "Bedrock's batch lines (modelInput) cannot be run live; "
    'turn them into {"custom_id": .., "params": ..} lines, with a model'
)


def make_dialect(name: str, options: RequestOptions) -> Dialect:
    """Return a dialect by its name. Raises `RunRefused` if there is none or the options do not fit it."""
    if name == "bedrock":
        raise RunRefused(_BEDROCK)
    if name not in _MAKERS:
        raise RunRefused(f"there is no dialect {name!r}; there are: {', '.join(_MAKERS)}")
    return _MAKERS[name](options)


def detect(line: bytes, options: RequestOptions) -> str:
    """Return the name of the dialect of the input's first line.

    Raises `RunRefused` where no dialect fits, and `BadLine` if the line is no JSON object: then the next
    one is the first.
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
        "the first line is no request of a known format; for rows of data give --prompt '... {field} ...', "
        "else say which it is with --input-format"
    )


_WHOLE_REQUESTS: Final = {
    "anthropic": {"custom_id", "params"},
    "openai": {"custom_id", "method", "url", "body"},
}
