"""What the two APIs share in assembling a stream: from bytes to events, and how it can end (pure)."""

from __future__ import annotations

from typing import Protocol

from headrace.job import Failure, Success
from headrace_client.lowlevel import ResponseTooLarge, ServerSentEvent, SSEDecoder

from ._failures import failure_from_transport
from ._printable import printable
from ._records import DECODE_ERRORS

MAX_STREAM_SIZE = 64 * 1024 * 1024
"""Bytes of one streamed answer (P15); what is kept of them is never more."""

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, *DECODE_ERRORS)
"""What comes of events whose parts are not of the documented types."""


class Events(Protocol):
    """What one API makes of its events."""

    @property
    def has_token(self) -> bool: ...
    @property
    def complete(self) -> bool:
        """Whether the event has come that ends every whole answer."""
        ...

    def take(self, event: ServerSentEvent) -> Failure | None:
        """Add an event; return what failed if it says so. May raise any of `_MALFORMED`."""
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
        """Whether the first token of the answer has arrived."""
        return self._events.has_token

    def feed(self, data: bytes) -> None:
        """Take the next piece of the body, cut anywhere; what comes after a failure is passed over."""
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
        """Return the message in whole, or why it is none."""
        if self._failure is not None:
            return self._failure
        if not self._events.complete:
            return _bad_stream("it was cut off" if self._received else "it is empty")
        try:
            return self._events.success()
        except _MALFORMED as error:
            return _bad_stream(f"its message is not whole: {error}")


def _bad_stream(reason: str) -> Failure:
    return Failure(
        kind="invalid_response", message=printable(f"a stream that is no answer: {reason}"), status=200
    )
