"""For programs with their own retry policy: one attempt at a time, and the rules for reading its response.

The runner imports only these names and public names of `headrace_client`.
"""

from __future__ import annotations

from headrace_client.transport.sender import Response, Sender, open_pooled_sender

from ._base_client.retry import should_retry
from ._wire.accumulator import MessageAccumulator, UnexpectedEventError
from ._wire.encoding import EncodingError
from ._wire.encoding import encode as encode_json
from ._wire.error_body import ServerError, error_in, lone_error, read_error
from ._wire.json import TooDeepError, is_deep
from ._wire.json import decode as decode_json
from ._wire.media_types import is_event_stream
from ._wire.merging import GrowingObject, newest
from ._wire.part_identity import as_list, as_object, is_empty, number_of
from ._wire.ratelimit import Limit, RateLimits, rate_limits
from ._wire.redirects import REDIRECTS, is_lasting_redirect, redirect_refusal, redirect_target
from ._wire.retry_after import retry_after_seconds
from ._wire.sse import ServerSentEvent, SSEDecoder
from ._wire.statuses import StatusMeaning, status_meaning
from ._wire.stream_event import StreamEvent, read_event, split_event
from ._wire.surrogates import without_halves
from .transport import (
    AttemptTimedOut,
    ByteStream,
    ConnectionPool,
    Connector,
    Origin,
    ResponseTooLarge,
    TransportError,
    connect_tcp,
    memory_stream_pair,
)

__all__ = [
    "REDIRECTS",
    "AttemptTimedOut",
    "ByteStream",
    "ConnectionPool",
    "Connector",
    "EncodingError",
    "GrowingObject",
    "Limit",
    "MessageAccumulator",
    "Origin",
    "RateLimits",
    "Response",
    "ResponseTooLarge",
    "SSEDecoder",
    "Sender",
    "ServerError",
    "ServerSentEvent",
    "StatusMeaning",
    "StreamEvent",
    "TooDeepError",
    "TransportError",
    "UnexpectedEventError",
    "as_list",
    "as_object",
    "connect_tcp",
    "decode_json",
    "encode_json",
    "error_in",
    "is_deep",
    "is_empty",
    "is_event_stream",
    "is_lasting_redirect",
    "lone_error",
    "memory_stream_pair",
    "newest",
    "number_of",
    "open_pooled_sender",
    "rate_limits",
    "read_error",
    "read_event",
    "redirect_refusal",
    "redirect_target",
    "retry_after_seconds",
    "should_retry",
    "split_event",
    "status_meaning",
    "without_halves",
]
