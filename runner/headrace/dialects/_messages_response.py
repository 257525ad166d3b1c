"""What the body of a Messages API response must contain to be a success."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from headrace.job import Success

from ._json import one_line
from ._usage import MessagesUsage, messages_usage, read_messages_usage


class _Block(msgspec.Struct, gc=False):
    """A content block: any object."""


class _Message(msgspec.Struct, gc=False):
    type: Literal["message"]
    id: str
    content: list[_Block]
    stop_reason: str
    usage: MessagesUsage


class _LenientMessage(msgspec.Struct, gc=False):
    type: Literal["message"]
    id: str
    content: list[_Block]
    stop_reason: str
    usage: msgspec.Raw = msgspec.Raw(b"null")


_DECODE_MESSAGE: Final = msgspec.json.Decoder(_Message).decode
_DECODE_LENIENTLY: Final = msgspec.json.Decoder(_LenientMessage).decode


def read_message(body: bytes) -> Success:
    """Return the success in a complete message. Raises one of `DECODE_ERRORS` if it is not one.

    Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON.
    """
    try:
        message = _DECODE_MESSAGE(body)
    except msgspec.ValidationError:
        lenient = _DECODE_LENIENTLY(body)
        msgspec.json.decode(lenient.usage)  # raises for a number that no JSON reader takes
        usage, stop_reason = read_messages_usage(bytes(lenient.usage)), lenient.stop_reason
    else:
        usage, stop_reason = messages_usage(message.usage), message.stop_reason
    return Success(message=one_line(body), usage=usage, stop_reason=stop_reason)
