"""The events of a response: bytes to typed values, one by one (pure).

1. The last event of a message is ``message_stop``; what follows it is passed over. Of other APIs it is
   ``[DONE]``, or whichever comes last before the response ends.
2. Events that carry nothing are passed over. So are those of a message whose data is not JSON, unless nothing
   else comes.
3. An event without a name is named by the ``type`` in its data.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from headrace_client._exceptions import APIConnectionError, APIError, APIResponseValidationError
from headrace_client._wire.error_body import lone_error, read_error
from headrace_client._wire.json import TooDeepError, decode
from headrace_client._wire.media_types import is_json_start
from headrace_client._wire.sse import DEFAULT_MAX_EVENT_SIZE, ServerSentEvent, SSEDecoder
from headrace_client._wire.stream_event import StreamEvent, read_event, split_event
from headrace_client._wire.whole_message import events_from_message
from headrace_client.transport.errors import ResponseTooLarge
from headrace_client.types import RawMessageStreamEvent

from .body_reader import ENDED, NEEDS_BYTES
from .cast import cast_value
from .errors import event_error, quoted

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
_PAYLOADS: Final = {
    "message_start": "message",
    "content_block_start": "content_block",
    "content_block_delta": "delta",
}
"""What an event of a message is about; without it, the event carries nothing."""

_DONE: Final = "[DONE]"


class IncompleteStreamError(APIConnectionError):
    """The stream ended, or was left, before its last event, ``message_stop``: the message is incomplete.

    ``body``: the data of an event that is not JSON, or the text that came instead of events, if any. The
    message begins with it.
    """

    def __init__(self, *, request: httpx.Request, body: str | None = None) -> None:
        super().__init__(message=f"{quoted(body)}The stream ended before `message_stop`.", request=request)
        self.body = body


class EventReader:
    """Turns the bytes of one response into its events as ``cast_to``."""

    def __init__(
        self, response: httpx.Response, cast_to: Any, *, strict: bool, is_message: bool = False
    ) -> None:
        self._response = response
        self._cast_to = cast_to
        self._strict = strict
        self._decoder = SSEDecoder()
        self._arrived: deque[ServerSentEvent] = deque()
        self._json: bytearray | None = None
        self._at_start = True
        self._at_end = False
        self._is_message = is_message or cast_to == RawMessageStreamEvent
        self._is_closed = False
        self._is_begun = False
        self._has_event = False
        self._unread: str | None = None
        self._stray: str | None = None
        """The text outside of events, such as a page of HTML."""

    @property
    def complete(self) -> bool:
        """Whether the last event has been taken."""
        ended = self._at_end and not self._arrived
        return self._is_closed or (ended and self._has_event and not self._is_message)

    def feed(self, data: bytes | None) -> None:
        """Take the next bytes, None at the end. Raises `ResponseTooLarge`."""
        if data is None:
            self._at_end = True
            self._arrive(self._decoder.finish() if self._json is None else self._whole(self._json))
            self._read_stray()
        elif self._json is not None or (self._at_start and is_json_start(data)):
            self._json = bytearray() if self._json is None else self._json
            self._json += data
            if len(self._json) > DEFAULT_MAX_EVENT_SIZE:
                raise ResponseTooLarge(
                    f"the message is larger than {DEFAULT_MAX_EVENT_SIZE} bytes", sent=True
                )
        else:
            self._at_start = self._at_start and not data.strip()
            self._arrive(self._decoder.feed(data))
            unfinished = [part for event in self._decoder.peek() for part in split_event(event)]
            if unfinished and _is_stop(read_event(unfinished[-1])):
                self._arrived.extend(unfinished)

    def _arrive(self, events: Iterable[ServerSentEvent]) -> None:
        for event in events:
            self._arrived.extend(split_event(event))

    def _read_stray(self) -> None:
        """Take what stands outside of events: an error, or a page that a gateway sends instead of them."""
        event = read_event(ServerSentEvent(data=self._decoder.stray))
        if event.is_error or (not self._has_event and not self._is_begun and _is_lone_error(event)):
            self._arrived.append(ServerSentEvent(event="error", data=event.text))
        else:
            self._stray = event.text or None

    def _whole(self, body: bytearray) -> list[ServerSentEvent]:
        """Return the events of a whole message: not every server can stream."""
        event = read_event(ServerSentEvent(data=body.decode(errors="replace")))
        if event.is_object and event.name == "message":
            return events_from_message(event.members)
        if event.is_error or _is_lone_error(event):
            return [ServerSentEvent(event="error", data=event.text)]
        self._unread = event.text
        return []

    def stop(self) -> None:
        """Drop the remaining events."""
        self._arrived.clear()

    def cut_short(self) -> APIError:
        """Return the error of a stream that was left before its last event."""
        return IncompleteStreamError(request=self._response.request, body=self._unread or self._stray)

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
        while not self._is_closed and isinstance(received := self.next_event(), ServerSentEvent):
            event = read_event(received)
            is_known = event.name in _KNOWN_EVENTS or received.event in _KNOWN_EVENTS
            if event.is_error and (event.name == "error" or not is_known):
                raise event_error(self._response, received.data)
            if self._is_passed_over(event, is_known=is_known):
                continue
            self._note(event)
            if event.text != _DONE and (everything or is_known):
                return cast_value(_data(event), self._cast_to, self._response, strict=self._strict)
        if self._is_closed or not self._at_end:
            return ENDED if self._is_closed else NEEDS_BYTES
        if not self.complete:
            raise self._incomplete()
        return ENDED

    def _is_passed_over(self, event: StreamEvent, *, is_known: bool) -> bool:
        """Return whether an event brings nothing. Data that cannot be read is kept for the error."""
        if event.carries_nothing:
            return is_known or not event.name
        payload = _PAYLOADS.get(event.name)
        if payload is not None and event.is_object and event.members.get(payload) is None:
            return True
        if event.is_too_deep:
            message = str(TooDeepError())
            raise APIResponseValidationError(self._response, event.text, message=message)
        is_readable = event.is_object if event.name in _MESSAGE_EVENTS else event.is_json
        if not is_readable and (is_known or event.text != _DONE):
            self._unread = self._unread or event.text
        return is_known and not is_readable

    def _note(self, event: StreamEvent) -> None:
        """Note whether the stream may end here."""
        if event.name in _MESSAGE_EVENTS:
            self._is_message = self._is_begun = True
        elif event.name != "ping" and event.text != _DONE:
            self._has_event = True
        self._is_closed = _is_stop(event) or (
            event.text == _DONE and self._has_event and not self._is_message
        )

    def _incomplete(self) -> APIError:
        if self._unread is None or self._is_begun:
            return self.cut_short()
        message = f"{quoted(self._unread)}No event of the stream is JSON of its kind."
        error = APIResponseValidationError(self._response, self._unread, message=message)
        try:
            decode(self._unread)
        except (ValueError, RecursionError) as cause:
            error.__cause__ = cause
        return error


def _is_lone_error(event: StreamEvent) -> bool:
    """Return whether data that is not an event says that it is an error with a status."""
    said = lone_error(event.value) if event.is_object else None
    return said is not None and read_error(said).status is not None


def _is_stop(event: StreamEvent) -> bool:
    return event.name == "message_stop" and event.is_object


def _data(event: StreamEvent) -> Any:
    """Return what an event says, with its name as the ``type`` if the data has none."""
    if event.is_object:
        return {**event.members, "type": event.name} if event.name else event.members
    name = {"type": event.name} if event.name else {}
    if event.carries_nothing:
        return name
    return event.value if event.is_json else {**name, "data": event.text}
