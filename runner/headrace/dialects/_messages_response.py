"""What the body of a Messages API response must contain to be a success."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from headrace.job import Success, Usage

from ._json import one_line


class _Block(msgspec.Struct, gc=False):
    """A content block: any object."""


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
    """Return the success in a complete message. Raises one of `DECODE_ERRORS` if it is not one.

    Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON.
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
