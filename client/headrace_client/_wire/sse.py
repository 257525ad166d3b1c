"""Server-sent events and JSON lines: bytes, in any chunks, to events (pure).

This follows the HTML standard, section 9.2.6 "Interpreting an event stream", with three deliberate
differences. An event without data is passed on (its data is ``""``), because a bare ``event: ping`` is a
sign of life. A second name begins a new event, because some servers leave out the blank lines. And the size
of an event is bounded, because a server that never sends the blank line must not fill the memory.

The chunks make no difference: a line ends at CR, LF or CRLF, even if a chunk ends between the two; a
multi-byte character is decoded only when its line is complete; a byte order mark counts only at the very
start. The last event of the input may lack its blank line: `feed` does not return it, as the standard says,
but `finish` does, because servers forget it. To know that a stream is complete, look for its closing event.
"""

from __future__ import annotations

from typing import Any

import attrs

from headrace_client.transport.errors import ResponseTooLarge

from .json import decode

DEFAULT_MAX_EVENT_SIZE = 64 * 1024 * 1024
"""Bytes of one event, including field names: as many as an answer may have. Images come in one event."""

_MAX_PEEKED = 64 * 1024
_MAX_STRAY = 64 * 1024
"""Bytes of lines outside of events that are kept: a server that fails may print its error between events."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class ServerSentEvent:
    """One event of a stream.

    ``event``: its name, or None. ``data``: its data lines, joined with newlines. ``id``: the last id in the
    stream, from this event or an earlier one. ``retry``: milliseconds, or None.
    """

    event: str | None = None
    data: str = ""
    id: str | None = None
    retry: int | None = None

    def json(self) -> Any:
        """Decode the data, leniently. Raises `msgspec.DecodeError` if it is not JSON."""
        return decode(self.data)


class SSEDecoder:
    """Collects bytes and returns the events that they complete."""

    def __init__(self, *, max_event_size: int = DEFAULT_MAX_EVENT_SIZE) -> None:
        self._max_event_size = max_event_size
        self._partial = bytearray()  # a bytearray, so that a line in many chunks does not cost quadratic time
        self._at_start = True
        self._skip_line_feed = False
        self._last_id: str | None = None
        self._stray = bytearray()
        self._begin_event()

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete, possibly none.

        Raises `ResponseTooLarge` if an event exceeds ``max_event_size``; do not use the decoder after that.
        """
        if self._skip_line_feed and data:
            data = data.removeprefix(b"\n")
            self._skip_line_feed = False
        end = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if not end:
            self._partial += data
            self._check_size(len(self._partial))
            return []
        self._skip_line_feed = data.endswith(b"\r")
        complete = bytes(self._partial) + data[:end]
        self._partial = bytearray(data[end:])
        events = self._interpret(complete.splitlines())
        self._check_size(len(self._partial))
        return events

    def peek(self) -> list[ServerSentEvent]:
        """Return the event whose blank line has not come yet, as if it came now.

        Empty if there is none, or if it is larger than 64 KB: this is for closing events, which are small.
        """
        if not 0 < self._size + len(self._partial) <= _MAX_PEEKED:
            return []
        name, value = _field(bytes(self._partial))
        lines = [*self._data, value] if name == b"data" else self._data
        if not lines:
            return []
        event = value.decode(errors="replace") if name == b"event" else self._event
        data = b"\n".join(lines).decode(errors="replace")
        return [ServerSentEvent(event=event or None, data=data, id=self._last_id, retry=self._retry)]

    @property
    def stray(self) -> str:
        """The lines so far that are neither comments nor fields of events."""
        return self._stray.decode(errors="replace").strip()

    def finish(self) -> list[ServerSentEvent]:
        """Return the last event if it has no blank line. The input has ended."""
        return self.feed(b"\n\n") if self._partial or self._has_fields else []

    def _interpret(self, lines: list[bytes]) -> list[ServerSentEvent]:
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        events: list[ServerSentEvent] = []
        for line in lines:
            if line:
                self._check_size(len(line))
                if self._event and self._data and line.startswith(b"event:"):
                    events.append(self._finished_event())
                    self._begin_event()
                self._take_field(line)
            else:
                if self._has_fields:
                    events.append(self._finished_event())
                self._begin_event()
        return events

    def _take_field(self, line: bytes) -> None:
        name, value = _field(line)
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(line)
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._last_id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) < 16:  # int() rejects thousands of digits
                self._retry = int(value)
            case b"":  # a comment
                return
            case _:  # a field that the standard ignores
                if len(self._stray) < _MAX_STRAY:
                    self._stray += line[:_MAX_STRAY] + b"\n"
                return
        self._has_fields = True

    def _finished_event(self) -> ServerSentEvent:
        data = b"\n".join(self._data).decode(errors="replace")
        return ServerSentEvent(event=self._event or None, data=data, id=self._last_id, retry=self._retry)

    def _begin_event(self) -> None:
        self._has_fields = False
        self._event = ""
        self._data: list[bytes] = []
        self._retry: int | None = None
        self._size = 0

    def _check_size(self, more: int) -> None:
        if self._size + more > self._max_event_size:
            message = f"one event of the stream is larger than {self._max_event_size} bytes"
            raise ResponseTooLarge(message, sent=True)


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


class LineDecoder:
    """Collects bytes of a JSON Lines body and returns the lines that they complete, except blank ones."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the completed lines, without their line ends."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._partial += data
            return []
        complete = bytes(self._partial) + data[:end]
        self._partial = bytearray(data[end:])
        return [line for raw in complete.split(b"\n") if (line := raw.strip())]

    def finish(self) -> list[bytes]:
        """Return the last line if it has no line end."""
        last = bytes(self._partial).strip()
        self._partial.clear()
        return [last] if last else []
