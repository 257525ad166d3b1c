"""``messages.stream``: the events of one message, with snapshots, and the message itself.

`MessageReader` decides everything (pure); the two streams and their context managers drive it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from headrace_client._exceptions import APIError, APIResponseValidationError
from headrace_client._wire.accumulator import MessageAccumulator, UnexpectedEventError
from headrace_client.types import (
    CitationEvent,
    ContentBlockStopEvent,
    InputJsonEvent,
    Message,
    MessageStopEvent,
    MessageStreamEvent,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    SignatureEvent,
    TextEvent,
    ThinkingEvent,
)

from .body_reader import AsyncBodyReader, AsyncValues, BodyReader, SyncBodyReader, SyncValues
from .cast import cast_value, is_strict
from .event_reader import EventReader

if TYPE_CHECKING:
    import httpx

_RAW_EVENTS = {
    "message_start": RawMessageStartEvent,
    "message_delta": RawMessageDeltaEvent,
    "content_block_start": RawContentBlockStartEvent,
    "content_block_delta": RawContentBlockDeltaEvent,
}


class MessageReader:
    """Turns the bytes of one response into the events of its message, including the derived events."""

    def __init__(self, response: httpx.Response, *, strict: bool) -> None:
        self._response = response
        self._strict = strict
        self._events = EventReader(response, object, strict=False, is_message=True)
        self._derived: deque[Any] = deque()
        self._accumulator = MessageAccumulator()

    def feed(self, data: bytes | None) -> None:
        """Take the next bytes, None at the end. Raises `ResponseTooLarge`."""
        self._events.feed(data)

    def stop(self) -> None:
        """Drop the remaining events."""
        self._derived.clear()
        self._events.stop()

    @property
    def complete(self) -> bool:
        """Whether ``message_stop`` has been taken."""
        return self._events.complete and not self._derived

    def cut_short(self) -> APIError:
        """Return the error of a stream that was left before ``message_stop``."""
        return self._events.cut_short()

    def next_value(self) -> Any:
        """Return the next event. Raises as `EventReader.next_value` does."""
        while not self._derived:
            event = self._events.next_value()
            if not isinstance(event, dict):
                return event
            self._take(cast("dict[str, Any]", event))
        return self._derived.popleft()

    def next_text(self) -> Any:
        """Return the next text delta. Raises as `next_value` does."""
        while isinstance(event := self.next_value(), _MODELS):
            if isinstance(event, TextEvent):
                return event.text
        return event

    def snapshot(self) -> Message:
        """Return the message received so far. Raises `UnexpectedEventError` before its start."""
        return self._cast(self._accumulator.message, Message)

    def final_message(self) -> Message:
        """Return the whole message. Raises `IncompleteStreamError` if it is incomplete."""
        if not self._accumulator.complete:
            raise self.cut_short()
        return self.snapshot()

    def _take(self, event: dict[str, Any]) -> None:
        try:
            self._accumulator.add(event)
        except UnexpectedEventError as error:
            raise APIResponseValidationError(self._response, event, message=str(error)) from error
        match event:
            case {"type": "message_stop"}:
                self._emit(MessageStopEvent, message=self._accumulator.message)
            case {"type": "content_block_stop"}:
                index = event.get("index")
                if (block := self._accumulator.find(index)) is not None:
                    self._emit(ContentBlockStopEvent, index=index, content_block=block)
            case {"type": "content_block_delta"}:
                self._emit(RawContentBlockDeltaEvent, **event)
                if (block := self._accumulator.find(event.get("index"))) is not None:
                    self._derive(event.get("delta"), block)
            case {"type": name} if name in _RAW_EVENTS:
                self._emit(_RAW_EVENTS[name], **event)
            case _:
                pass

    def _derive(self, delta: Any, block: Mapping[str, Any]) -> None:
        """Emit the derived event of a delta, with a snapshot of its block."""
        match delta:
            case {"type": "text_delta", "text": text}:
                self._emit(TextEvent, type="text", text=text, snapshot=block.get("text", ""))
            case {"type": "thinking_delta", "thinking": text}:
                thinking = block.get("thinking", "")
                self._emit(ThinkingEvent, type="thinking", thinking=text, snapshot=thinking)
            case {"type": "input_json_delta", "partial_json": text}:
                self._emit(InputJsonEvent, type="input_json", partial_json=text, snapshot=block.get("input"))
            case {"type": "citations_delta", "citation": citation}:
                citations = block.get("citations", [])
                self._emit(CitationEvent, type="citation", citation=citation, snapshot=citations)
            case {"type": "signature_delta"}:
                self._emit(SignatureEvent, type="signature", signature=block.get("signature"))
            case _:
                pass

    def _emit(self, model: Any, **fields: Any) -> None:
        fields.setdefault("type", _TYPES.get(model))
        self._derived.append(self._cast(fields, model))

    def _cast(self, value: Any, model: Any) -> Any:
        return cast_value(value, model, self._response, strict=self._strict)


_TYPES = {MessageStopEvent: "message_stop", ContentBlockStopEvent: "content_block_stop"}
_MODELS = (
    TextEvent,
    CitationEvent,
    ThinkingEvent,
    SignatureEvent,
    InputJsonEvent,
    MessageStopEvent,
    ContentBlockStopEvent,
    *_RAW_EVENTS.values(),
)


def _final_text(message: Message) -> str:
    texts = [block.text for block in message.content if block.type == "text"]
    if not texts:
        kinds = ", ".join(block.type for block in message.content)
        raise RuntimeError(f"`get_final_text()` needs a message with a text block; this one has: {kinds}")
    return "".join(texts)


class _MessageBodyReader(BodyReader[MessageStreamEvent]):
    """What both kinds of message streams share."""

    def __init__(
        self, *, cast_to: Any, response: httpx.Response, client: Any, options: object = None
    ) -> None:  # the parameters that all streams take
        self._client = client
        self._message = MessageReader(response, strict=is_strict(client))
        super().__init__(response, self._message)

    @property
    def request_id(self) -> str | None:
        """The API's id of the request."""
        return self.response.headers.get("request-id")

    @property
    def current_message_snapshot(self) -> Message:
        """The message received so far. Raises `UnexpectedEventError` before its start."""
        return self._message.snapshot()


class MessageStream(_MessageBodyReader, SyncBodyReader[MessageStreamEvent]):
    """One message as it arrives: iterate over its events or over `text_stream`, or get it as a whole.

    Iterating raises as `Stream` does.
    """

    @property
    def text_stream(self) -> Iterator[str]:
        """The text deltas alone."""
        return SyncValues(self, self._message.next_text)

    def until_done(self) -> None:
        """Read to the end. Raises as iterating does."""
        for _ in self:
            pass

    def get_final_message(self) -> Message:
        """Read to the end and return the message. Raises as iterating does, also if closed before the end."""
        self.until_done()
        return self._message.final_message()

    def get_final_text(self) -> str:
        """Read to the end and return the text. Raises as `get_final_message`; `RuntimeError` without text."""
        return _final_text(self.get_final_message())


class AsyncMessageStream(_MessageBodyReader, AsyncBodyReader[MessageStreamEvent]):
    """One message as it arrives, for an asynchronous client; see `MessageStream`."""

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text deltas alone."""
        return AsyncValues(self, self._message.next_text)

    async def until_done(self) -> None:
        """Read to the end. Raises as iterating does."""
        async for _ in self:
            pass

    async def get_final_message(self) -> Message:
        """Read to the end and return the message. Raises as iterating does, also if closed before the end."""
        await self.until_done()
        return self._message.final_message()

    async def get_final_text(self) -> str:
        """Read to the end and return the text. Raises as `get_final_message`; `RuntimeError` without text."""
        return _final_text(await self.get_final_message())


class MessageStreamManager:
    """Makes the request on entering and closes the stream on leaving. The timeouts are those of `limit`."""

    def __init__(
        self, request: Callable[[], MessageStream], *, idle_timeout: float | None, total_timeout: float | None
    ) -> None:
        self._request = request
        self._limits = {"idle_timeout": idle_timeout, "total_timeout": total_timeout}
        self._stream: MessageStream | None = None

    def __enter__(self) -> MessageStream:
        self._stream = self._request().limit(**self._limits)
        return self._stream

    def __exit__(self, *exc_info: object) -> None:
        if self._stream is not None:
            self._stream.close()


class AsyncMessageStreamManager:
    """Makes the request on entering and closes the stream on leaving. The timeouts are those of `limit`."""

    def __init__(
        self,
        request: Callable[[], Awaitable[AsyncMessageStream]],
        *,
        idle_timeout: float | None,
        total_timeout: float | None,
    ) -> None:
        self._request = request
        self._limits = {"idle_timeout": idle_timeout, "total_timeout": total_timeout}
        self._stream: AsyncMessageStream | None = None

    async def __aenter__(self) -> AsyncMessageStream:
        self._stream = (await self._request()).limit(**self._limits)
        return self._stream

    async def __aexit__(self, *exc_info: object) -> None:
        if self._stream is not None:
            await self._stream.close()
