"""What a record says of its cost: model, usage, and the attempts that may have been billed."""

from __future__ import annotations

from typing import Final

import msgspec

from headrace.job import TokenRange, Usage

from ._chat_answer import read_answer
from ._messages_answer import read_message
from ._records import DECODE_ERRORS


class RecordedUsage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one record has cost, in tokens."""

    model: str = ""
    """As the server names it; empty where there is no answer, or one that does not say."""
    usage: Usage = Usage()
    maybe_billed: int = 0
    """Tokens that attempts without an answer have cost at most, as far as they are bounded."""


class _Result(msgspec.Struct, gc=False):
    message: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct, gc=False):
    body: msgspec.Raw = msgspec.Raw()


class _Note(msgspec.Struct, gc=False):
    maybe_billed_tokens: TokenRange | None = None


class _Record(msgspec.Struct, gc=False):
    result: _Result | None = None
    response: _Response | None = None
    headrace: _Note | None = None


class _Named(msgspec.Struct, gc=False):
    model: str = ""


_DECODE_RECORD: Final = msgspec.json.Decoder(_Record).decode
_DECODE_NAME: Final = msgspec.json.Decoder(_Named).decode
_NOTHING: Final = RecordedUsage()


def read_recorded_usage(line: bytes) -> RecordedUsage:
    """Return what a line of an output or error file has cost; nothing, if it does not say so."""
    try:
        record = _DECODE_RECORD(line)
    except DECODE_ERRORS:
        return _NOTHING
    tokens = None if record.headrace is None else record.headrace.maybe_billed_tokens
    most = 0 if tokens is None else tokens[1] or 0
    message = b"" if record.result is None else bytes(record.result.message)
    body = b"" if record.response is None else bytes(record.response.body)
    try:
        success = read_message(message) if message else read_answer(body)
        return RecordedUsage(
            model=_DECODE_NAME(message or body).model, usage=success.usage, maybe_billed=most
        )
    except DECODE_ERRORS:
        return RecordedUsage(maybe_billed=most)
