"""How all APIs assemble a streamed response: from bytes to events, and the ways it can end (pure).

An answer is whole when its closing event has come; what the connection does after that does not matter. What
a stream had brought when it is refused is kept in the failure: it may have been paid for.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import structs

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import (
    Response,
    ResponseTooLarge,
    ServerSentEvent,
    SSEDecoder,
    StreamEvent,
    TooDeepError,
    TransportError,
    is_event_stream,
    read_event,
    split_event,
    without_halves,
)

from ._dialect import Assembler, Dialect
from ._failures import failure_from_event, failure_from_transport, kept_answer, refusal, refused
from ._json import DECODE_ERRORS, encode, is_json
from ._printable import printable

MAX_STREAM_SIZE = 64 * 1024 * 1024
"""Bytes of one streamed response; never more than this is kept of it."""

_UNREAD = "unread_events"
"""The member of a refused answer with the texts of the events that are not in it."""

_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError, *DECODE_ERRORS)
"""Raised by events whose parts are not of the documented types."""


class Events(Protocol):
    """Puts the events of one API together."""

    @property
    def has_token(self) -> bool: ...
    @property
    def started(self) -> bool:
        """Whether an event has brought anything of the answer."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the event that closes every complete response has come."""
        ...

    @property
    def finished(self) -> bool:
        """Whether the answer is complete without a closing event, if the response ends well."""
        ...

    def closes(self, event: StreamEvent) -> bool:
        """Return whether an event is the closing one."""
        ...

    def take(self, event: StreamEvent) -> Failure | None:
        """Add an event; return the failure if it is an error event. May raise any of `_MALFORMED`."""
        ...

    def value(self) -> Any:
        """Return the answer so far. May raise any of `_MALFORMED`."""
        ...

    def read(self, body: bytes) -> Success:
        """Return the whole answer, given as JSON. Raises one of `DECODE_ERRORS` if it is not accepted."""
        ...


class StreamAssembler:
    """An `Assembler` over the events of an API."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._decoder = SSEDecoder(max_event_size=MAX_STREAM_SIZE)
        self._received = 0
        self._raw = bytearray()  # what came before the first part of the answer
        self._unread: list[str] = []  # the texts of events that could not be read
        self._has_json = False
        self._malformed: str | None = None
        self._failure: Failure | None = None

    @property
    def has_token(self) -> bool:
        return self._events.has_token

    @property
    def is_over(self) -> bool:
        """Whether nothing that follows matters: the closing event, or an error, has come."""
        return self._failure is not None or self._events.complete

    def feed(self, data: bytes) -> bool:
        """Take the next chunk of the body, unless the stream is over; return whether it is now."""
        if self.is_over:
            return True
        try:
            self._feed(data)
        except ResponseTooLarge as error:
            self._failure = failure_from_transport(error)
        return self.is_over

    def finish(self) -> Success | Failure:
        """Return the outcome of a response that ended well, or that was left because the stream was over."""
        self._end()
        if self._failure is not None:
            return self._refused(self._failure)
        if self._malformed is not None:
            return self._invalid(f"an event is malformed: {self._malformed}")
        if not self._events.started and (self._unread or not self._events.complete):
            return self._invalid_with(self._nothing())
        if not (self._events.complete or self._events.finished):
            return self._invalid("it was cut off" + self._unreadable())
        try:
            body = _encoded(self._events.value())
        except _MALFORMED as error:
            return self._invalid(f"its message is incomplete: {error}")
        return self._judged(body)

    def _judged(self, body: bytes) -> Success | Failure:
        """Return the outcome of a stream that made this body: that of the same body without a stream."""
        try:
            return self._events.read(body)
        except DECODE_ERRORS as error:
            failure = refused(error, body)
            if failure.kind != "invalid_response":
                return self._refused(failure)
            invalid = self._invalid(f"its message is incomplete: {error}")
            return structs.replace(invalid, code=failure.code)

    def cut(self, failure: Failure) -> Failure:
        """Return the failure of a response that did not end well, with what had come."""
        self._end()
        return self._refused(self._failure or failure)

    def _end(self) -> None:
        """Take what the end of the stream completes. An error may stand between events, without ``data:``."""
        self._take(self._decoder.finish())
        stray = self._decoder.stray
        if self.is_over or not stray:
            return
        event = read_event(ServerSentEvent(data=stray))
        if event.is_error:
            self._failure = failure_from_event(event.text)
        self._unread.append(event.text)

    def _feed(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > MAX_STREAM_SIZE:
            raise ResponseTooLarge(f"the stream is larger than {MAX_STREAM_SIZE} bytes", sent=True)
        if not self._events.started:
            self._raw += data
        self._take(self._decoder.feed(data))
        if not self.is_over:
            self._take([event for event in self._decoder.peek() if self._closes(event)])

    def _closes(self, event: ServerSentEvent) -> bool:
        return self._events.closes(read_event(split_event(event)[-1]))

    def _take(self, events: list[ServerSentEvent]) -> None:
        for received in events:
            if self.is_over:
                return
            for event in split_event(received):
                self._take_one(read_event(event))

    def _take_one(self, event: StreamEvent) -> None:
        """Add an event. What follows a malformed one is added as well: the record keeps what was paid for."""
        if event.carries_nothing or self.is_over:
            return
        self._has_json = self._has_json or event.is_json
        try:
            if event.is_too_deep:
                raise TooDeepError
            if event.is_json or event.is_error or self._events.closes(event):
                self._failure = self._events.take(event)
                return
        except _MALFORMED as error:
            self._malformed = self._malformed or str(error)
        if not (self._events.started and event.is_done):
            self._unread.append(event.text)

    def _unreadable(self) -> str:
        return f" (an event is not JSON: {self._unread[0]})" if self._unread else ""

    def _nothing(self) -> str:
        if self._has_json:
            return "an invalid stream: no event has a part of an answer"
        if self._unread:
            has_events = self._unread[0] != self._decoder.stray
            reason = "no event of the stream is JSON" if has_events else "the stream has no events"
            return refusal(200, self._unread[0], reason)
        if text := self._raw[:2048].decode(errors="replace").strip():
            return refusal(200, text, "the stream has no events")
        return "an invalid stream: it is empty"

    def _invalid(self, reason: str) -> Failure:
        return self._invalid_with(printable(f"an invalid stream: {reason}"))

    def _invalid_with(self, message: str) -> Failure:
        return self._refused(Failure(kind="invalid_response", message=message, status=200))

    def _refused(self, failure: Failure) -> Failure:
        return structs.replace(failure, answer=self._answer())

    def _answer(self) -> bytes | None:
        """Return what had come, as JSON: the answer so far with the events not in it, else the text."""
        if self._events.started:
            unread = {_UNREAD: self._unread} if self._unread else {}
            try:
                return _encoded({**self._events.value(), **unread})
            except _MALFORMED:
                pass
        text = "" if self._has_json else "\n".join(self._unread)
        text = text or self._raw.decode(errors="replace")
        return encode(text) if text.strip() else None


def judge_any_form(
    dialect: Dialect, request: JobRequest, response: Response, assembler: Assembler | None
) -> Success | Failure:
    """Return the outcome of a response in the form that it has, not the one that was asked for.

    ``assembler``: has taken the body of a request with ``stream``. A server without streaming sends the whole
    message as JSON; some send events to a request without it.
    """
    if not 200 <= response.status < 300:
        return dialect.judge(response, request)
    if assembler is None:
        outcome = dialect.judge(response, request)
        if isinstance(outcome, Success) or not _has_events(response):
            return outcome
        assembler = dialect.assembler(request)
        assembler.feed(response.body)
    return assembler.finish() if _has_events(response) else dialect.judge(response, request)


def judge_cut(
    dialect: Dialect, request: JobRequest, error: TransportError, assembler: Assembler | None
) -> tuple[Success, Response] | Failure:
    """Return the success in a response that did not end well, with what had come of it, or the failure.

    It is a success if the answer had come as a whole: JSON shows its own end, and a stream its closing event.
    Else the failure keeps what had come. ``assembler``: has taken the body of a request with ``stream``.
    """
    failure, response = failure_from_transport(error), error.partial
    if response is None:
        return failure if assembler is None else assembler.cut(failure)
    failure = structs.replace(failure, request_id=response.request_id)
    if not _has_events(response):
        outcome = dialect.judge(response, request)
        if isinstance(outcome, Failure) and (
            outcome.kind == "invalid_response" or not is_json(response.body)
        ):
            return structs.replace(failure, answer=kept_answer(response.body))
    elif assembler is not None:
        return assembler.cut(failure)
    else:
        assembler = dialect.assembler(request)
        outcome = assembler.finish() if assembler.feed(response.body) else assembler.cut(failure)
    return (outcome, response) if isinstance(outcome, Success) else outcome


def _has_events(response: Response) -> bool:
    return is_event_stream(response.headers.get("content-type", ""), response.body)


def _encoded(value: Any) -> bytes:
    try:
        return encode(value)
    except UnicodeEncodeError:  # half a surrogate pair, whose other half never came
        return encode(without_halves(value))
