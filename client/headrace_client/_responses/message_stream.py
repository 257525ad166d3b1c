"""``messages.stream``: the events of one message, what they add up to, and the message itself.

`MessageReader` decides it all on bytes (pure); the two streams and their managers are its faces.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, cast

from headrace_client._exceptions import APIResponseValidationError
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
from .event_reader import EventReader, IncompleteStreamError

if TYPE_CHECKING:
    import httpx

_RAW_EVENTS = {
    "message_start": RawMessageStartEvent,
    "message_delta": RawMessageDeltaEvent,
    "content_block_start": RawContentBlockStartEvent,
    "content_block_delta": RawContentBlockDeltaEvent,
}


class MessageReader:
    """Takes the bytes of one response and gives the events of its message, the derived ones included."""

    def __init__(self, response: httpx.Response, *, strict: bool) -> None:
        self._response = response
        self._strict = strict
        self._events = EventReader(response, object, strict=False)
        self._derived: deque[Any] = deque()
        self._accumulator = MessageAccumulator()

    def feed(self, data: bytes | None) -> None:
        """Take what arrived, None at the end."""
        self._events.feed(data)

    def stop(self) -> None:
        """Drop what has not been taken."""
        self._derived.clear()
        self._events.stop()

    def next_value(self) -> Any:
        """Return the next event; raises as `EventReader` does."""
        while not self._derived:
            event = self._events.next_value()
            if not isinstance(event, dict):
                return event
            self._take(cast("dict[str, Any]", event))
        return self._derived.popleft()

    def next_text(self) -> Any:
        """Return the next piece of text."""
        while isinstance(event := self.next_value(), _MODELS):
            if isinstance(event, TextEvent):
                return event.text
        return event

    def snapshot(self) -> Message:
        """Return the message as far as it has arrived. Raises `UnexpectedEventError` before its start."""
        return self._cast(self._accumulator.message, Message)

    def final_message(self) -> Message:
        """Return the whole message. Raises `IncompleteStreamError` if it is not whole."""
        if not self._accumulator.complete:
            raise IncompleteStreamError(request=self._response.request)
        return self.snapshot()

    def _take(self, event: dict[str, Any]) -> None:
        try:
            self._accumulator.add(event)
        except UnexpectedEventError as error:
            raise APIResponseValidationError(self._response, event, message=str(error)) from error
        match event:
            case {"type": "message_stop"}:
                self._give(MessageStopEvent, message=self._accumulator.message)
            case {"type": "content_block_stop", "index": index}:
                block = self._accumulator.block(index)
                self._give(ContentBlockStopEvent, index=index, content_block=block)
            case {"type": "content_block_delta"}:
                self._give(RawContentBlockDeltaEvent, **event)
                self._derive(event["delta"], event["index"])
            case {"type": name} if name in _RAW_EVENTS:
                self._give(_RAW_EVENTS[name], **event)
            case _:
                pass

    def _derive(self, delta: dict[str, Any], index: int) -> None:
        """Give what a piece of a block means, with the whole of the block up to here."""
        block = self._accumulator.block(index)
        match delta:
            case {"type": "text_delta", "text": text}:
                self._give(TextEvent, type="text", text=text, snapshot=block["text"])
            case {"type": "thinking_delta", "thinking": text}:
                self._give(ThinkingEvent, type="thinking", thinking=text, snapshot=block["thinking"])
            case {"type": "input_json_delta", "partial_json": text}:
                self._give(InputJsonEvent, type="input_json", partial_json=text, snapshot=block.get("input"))
            case {"type": "citations_delta", "citation": citation}:
                self._give(CitationEvent, type="citation", citation=citation, snapshot=block["citations"])
            case {"type": "signature_delta"}:
                self._give(SignatureEvent, type="signature", signature=block["signature"])
            case _:
                pass

    def _give(self, model: Any, **fields: Any) -> None:
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
        raise RuntimeError(f"`get_final_text()` needs an answer with a text block; this one has: {kinds}")
    return "".join(texts)


class _MessageBodyReader(BodyReader[MessageStreamEvent]):
    """What both kinds of message streams have in common."""

    def __init__(
        self, *, cast_to: Any, response: httpx.Response, client: Any, options: object = None
    ) -> None:  # the arguments of every kind of stream
        self._client = client
        self._message = MessageReader(response, strict=is_strict(client))
        super().__init__(response, self._message)

    @property
    def request_id(self) -> str | None:
        """The id that the API gave the request."""
        return self.response.headers.get("request-id")

    @property
    def current_message_snapshot(self) -> Message:
        """The message as far as it has arrived."""
        return self._message.snapshot()


class MessageStream(_MessageBodyReader, SyncBodyReader[MessageStreamEvent]):
    """One message as it arrives: iterate over its events or over `text_stream`, or get the whole of it."""

    @property
    def text_stream(self) -> Iterator[str]:
        """The pieces of text alone."""
        return SyncValues(self, self._message.next_text)

    def until_done(self) -> None:
        """Read to the end."""
        for _ in self:
            pass

    def get_final_message(self) -> Message:
        """Read to the end and return the message. Raises `IncompleteStreamError` if it was closed before."""
        self.until_done()
        return self._message.final_message()

    def get_final_text(self) -> str:
        """Read to the end and return the text. Raises `RuntimeError` if there is none."""
        return _final_text(self.get_final_message())


class AsyncMessageStream(_MessageBodyReader, AsyncBodyReader[MessageStreamEvent]):
    """One message as it arrives; the asynchronous face of `MessageStream`."""

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The pieces of text alone."""
        return AsyncValues(self, self._message.next_text)

    async def until_done(self) -> None:
        """Read to the end."""
        async for _ in self:
            pass

    async def get_final_message(self) -> Message:
        """Read to the end and return the message. Raises `IncompleteStreamError` if it was closed before."""
        await self.until_done()
        return self._message.final_message()

    async def get_final_text(self) -> str:
        """Read to the end and return the text. Raises `RuntimeError` if there is none."""
        return _final_text(await self.get_final_message())


class MessageStreamManager:
    """Makes the request on entering and closes the stream on leaving; its limits are those of `limit`."""

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
    """Makes the request on entering and closes the stream on leaving; its limits are those of `limit`."""

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
