"""The events of a response: bytes to typed values, one by one (pure)."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, cast

import msgspec

from headrace_client._exceptions import APIConnectionError, APIResponseValidationError
from headrace_client._wire.json import decode
from headrace_client._wire.sse import ServerSentEvent, SSEDecoder

from .body_reader import ENDED, NEEDS_BYTES
from .cast import cast_value
from .errors import event_error

if TYPE_CHECKING:
    import httpx

_MESSAGE_EVENTS = frozenset(
    {
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
    }
)
_KNOWN_EVENTS = _MESSAGE_EVENTS | {"completion"}


class IncompleteStreamError(APIConnectionError):
    """The stream ended before its last event, ``message_stop``, so the message is incomplete."""

    def __init__(self, *, request: httpx.Request) -> None:
        super().__init__(message="The stream ended before `message_stop`.", request=request)


class EventReader:
    """Turns the bytes of one response into its events as ``cast_to``."""

    def __init__(self, response: httpx.Response, cast_to: Any, *, strict: bool) -> None:
        self._response = response
        self._cast_to = cast_to
        self._strict = strict
        self._decoder = SSEDecoder()
        self._arrived: deque[ServerSentEvent] = deque()
        self._at_end = False
        self._complete = False

    def feed(self, data: bytes | None) -> None:
        """Take the next bytes, None at the end. Raises `ResponseTooLarge`."""
        if data is None:
            self._at_end = True
        else:
            self._arrived.extend(self._decoder.feed(data))

    def stop(self) -> None:
        """Drop the remaining events."""
        self._arrived.clear()
        self._at_end = self._complete = True

    def next_event(self) -> Any:
        """Return the next event as received."""
        if self._arrived:
            return self._arrived.popleft()
        return ENDED if self._at_end else NEEDS_BYTES

    def next_value(self) -> Any:
        """Return the next event of a known name.

        Raises the `APIStatusError` of an ``error`` event, `APIResponseValidationError` for invalid data, and
        `IncompleteStreamError` if the stream ends too early.
        """
        return self._next(everything=False)

    def next_of_all(self) -> Any:
        """Return the next event of any name. Raises as `next_value` does."""
        return self._next(everything=True)

    def _next(self, *, everything: bool) -> Any:
        while isinstance(event := self.next_event(), ServerSentEvent):
            if event.event == "error":
                raise event_error(self._response, event.data)
            self._note_completeness(event)
            if everything or event.event in _KNOWN_EVENTS:
                return cast_value(self._data(event), self._cast_to, self._response, strict=self._strict)
        if event is ENDED and not self._complete:
            raise IncompleteStreamError(request=self._response.request)
        return event

    def _note_completeness(self, event: ServerSentEvent) -> None:
        """Note whether the stream may end here. Of other APIs than Messages the last event is not known."""
        foreign = event.event not in _MESSAGE_EVENTS and event.event != "ping"
        self._complete = self._complete or foreign or event.event == "message_stop"

    def _data(self, event: ServerSentEvent) -> Any:
        try:
            value = decode(event.data)
        except msgspec.DecodeError as error:
            if event.event in _KNOWN_EVENTS:
                message = f"The data of a {event.event!r} event is not JSON."
                raise APIResponseValidationError(self._response, event.data, message=message) from error
            value: Any = {"data": event.data} if event.data else {}
        if isinstance(value, dict) and event.event is not None:
            return {"type": event.event, **cast("dict[str, Any]", value)}
        return cast("Any", value)
