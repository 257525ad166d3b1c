"""Server-sent events and JSON lines: bytes in any chunking to events (pure).

The rules are those of the HTML standard, section 9.2.6 "Interpreting an event stream", with two
deliberate differences: an event without data is passed on (its data is ``""``), because a bare
``event: ping`` is a sign of life; and an event is bounded in size, because a server that never sends
the blank line must not fill the memory.

What does not depend on the chunking: a line ends at CR, LF or CRLF, even where a chunk ends between
the two; a character of several bytes is decoded only when its line is whole; a byte order mark counts
only at the very start. An event that the end of the input cuts off is dropped, as the standard says:
whoever needs to know that a stream is complete looks for its closing event.
"""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from headrace_client.transport.errors import ResponseTooLarge

DEFAULT_MAX_EVENT_SIZE = 1_048_576
"""Bytes of one event, field names included; the largest events known are a few kilobytes."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@attrs.frozen(kw_only=True)
class ServerSentEvent:
    """One event of a stream.

    ``event``: its name, None where the server gave none. ``data``: its data lines joined with a newline.
    ``id``: the last id that the stream named, in this event or before. ``retry``: milliseconds.
    """

    event: str | None = None
    data: str = ""
    id: str | None = None
    retry: int | None = None

    def json(self) -> Any:
        """Decode the data. Raises `msgspec.DecodeError` if it is not JSON."""
        return msgspec.json.decode(self.data)


class SSEDecoder:
    """Collects bytes and gives the events that they complete."""

    def __init__(self, *, max_event_size: int = DEFAULT_MAX_EVENT_SIZE) -> None:
        self._max_event_size = max_event_size
        self._partial = bytearray()  # a bytearray: one line in a thousand chunks must not cost their square
        self._at_start = True
        self._skip_line_feed = False
        self._last_id: str | None = None
        self._begin_event()

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """Take the next bytes and return the events that they complete, often none.

        Raises `ResponseTooLarge` when an event passes ``max_event_size``; the decoder is then of no more use.
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
        whole = bytes(self._partial) + data[:end]
        self._partial = bytearray(data[end:])
        events = self._interpret(whole.splitlines())
        self._check_size(len(self._partial))
        return events

    def _interpret(self, lines: list[bytes]) -> list[ServerSentEvent]:
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(_BYTE_ORDER_MARK)
        events: list[ServerSentEvent] = []
        for line in lines:
            if line:
                self._check_size(len(line))
                self._take_field(line)
            else:
                if self._seen:
                    events.append(self._finished_event())
                self._begin_event()
        return events

    def _take_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"data":
                self._data.append(value)
                self._size += len(line)
            case b"event":
                self._event = value.decode(errors="replace")
            case b"id" if b"\0" not in value:
                self._last_id = value.decode(errors="replace")
            case b"retry" if value.isdigit() and len(value) < 16:  # int() refuses to read thousands of digits
                self._retry = int(value)
            case _:  # a comment, or a field that the standard says to ignore
                return
        self._seen = True

    def _finished_event(self) -> ServerSentEvent:
        data = b"\n".join(self._data).decode(errors="replace")
        return ServerSentEvent(event=self._event or None, data=data, id=self._last_id, retry=self._retry)

    def _begin_event(self) -> None:
        self._seen = False
        self._event = ""
        self._data: list[bytes] = []
        self._retry: int | None = None
        self._size = 0

    def _check_size(self, more: int) -> None:
        if self._size + more > self._max_event_size:
            message = f"one event of the stream is larger than {self._max_event_size} bytes"
            raise ResponseTooLarge(message, sent=True)


class LineDecoder:
    """Collects bytes and gives the lines of a JSON Lines body that they complete, without blank ones."""

    def __init__(self) -> None:
        self._partial = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Take the next bytes and return the whole lines, without their line ends."""
        end = data.rfind(b"\n") + 1
        if not end:
            self._partial += data
            return []
        whole = bytes(self._partial) + data[:end]
        self._partial = bytearray(data[end:])
        return [line for raw in whole.split(b"\n") if (line := raw.strip())]

    def finish(self) -> list[bytes]:
        """Return the last line if nothing ended it."""
        last = bytes(self._partial).strip()
        self._partial.clear()
        return [last] if last else []
