"""What a whole message of the Messages API must have to be an answer (P16)."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from headrace.job import Success, Usage

from ._records import one_line


class _Block(msgspec.Struct, gc=False):
    """A content block: an object, whatever is in it."""


class _Usage(msgspec.Struct, gc=False):
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


class _Message(msgspec.Struct, gc=False):
    type: Literal["message"]
    id: str
    content: list[_Block]
    stop_reason: str
    usage: _Usage


_DECODE_MESSAGE: Final = msgspec.json.Decoder(_Message).decode


def read_message(body: bytes) -> Success:
    """Return the success that a whole message is. Raises one of `DECODE_ERRORS`.

    Hot: only these fields are decoded, the rest is skipped (and checked by that to be JSON).
    """
    message = _DECODE_MESSAGE(body)
    usage = message.usage
    return Success(
        message=one_line(body),
        usage=Usage(
            input=usage.input_tokens,
            output=usage.output_tokens,
            cache_read=usage.cache_read_input_tokens or 0,
            cache_creation=usage.cache_creation_input_tokens or 0,
        ),
        stop_reason=message.stop_reason,
    )
