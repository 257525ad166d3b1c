"""How both APIs assemble a streamed response: from bytes to events, and the ways it can end (pure)."""

from __future__ import annotations

from typing import Protocol

from headrace.job import Failure, Success
from headrace_client.lowlevel import ResponseTooLarge, ServerSentEvent, SSEDecoder

from ._failures import failure_from_transport
from ._json import DECODE_ERRORS
from ._printable import printable

MAX_STREAM_SIZE = 64 * 1024 * 1024
"""Bytes of one streamed response; never more than this is kept of it."""

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, *DECODE_ERRORS)
"""Raised by events whose parts are not of the documented types."""


class Events(Protocol):
    """Puts the events of one API together."""

    @property
    def has_token(self) -> bool: ...
    @property
    def complete(self) -> bool:
        """Whether the event that ends every complete response has arrived."""
        ...

    def take(self, event: ServerSentEvent) -> Failure | None:
        """Add an event; return the failure if it is an error event. May raise any of `_MALFORMED`."""
        ...

    def success(self) -> Success:
        """Return the message. May raise any of `_MALFORMED`."""
        ...


class StreamAssembler:
    """An `Assembler` over the events of an API."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._decoder = SSEDecoder()
        self._received = 0
        self._failure: Failure | None = None

    @property
    def has_token(self) -> bool:
        return self._events.has_token

    def feed(self, data: bytes) -> None:
        """Take the next chunk of the body; everything after a failure is ignored."""
        if self._failure is not None:
            return
        try:
            self._feed(data)
        except ResponseTooLarge as error:
            self._failure = failure_from_transport(error)
        except _MALFORMED as error:
            self._failure = _bad_stream(f"an event is malformed: {error}")

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_STREAM_SIZE:
            raise ResponseTooLarge(f"the stream is larger than {MAX_STREAM_SIZE} bytes", sent=True)
        for event in self._decoder.feed(data):
            self._failure = self._events.take(event)
            if self._failure is not None:
                return

    def finish(self) -> Success | Failure:
        if self._failure is not None:
            return self._failure
        if not self._events.complete:
            return _bad_stream("it was cut off" if self._received else "it is empty")
        try:
            return self._events.success()
        except _MALFORMED as error:
            return _bad_stream(f"its message is incomplete: {error}")


def _bad_stream(reason: str) -> Failure:
    return Failure(kind="invalid_response", message=printable(f"an invalid stream: {reason}"), status=200)
