"""The events of a Messages stream: the API's own (``Raw...``), and those that `MessageStream` derives."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from headrace_client._models.base_model import BaseModel

from ._content import ContentBlock, TextCitation
from ._message import Message, ServerToolUsage, StopReason


class TextDelta(BaseModel, kw_only=True):
    """Part of a text block."""

    type: Literal["text_delta"]
    text: str


class InputJSONDelta(BaseModel, kw_only=True):
    """Part of the JSON text of a tool's input."""

    type: Literal["input_json_delta"]
    partial_json: str


class CitationsDelta(BaseModel, kw_only=True):
    """Another citation of a text block."""

    type: Literal["citations_delta"]
    citation: TextCitation


class ThinkingDelta(BaseModel, kw_only=True):
    """Part of a thinking block."""

    type: Literal["thinking_delta"]
    thinking: str


class SignatureDelta(BaseModel, kw_only=True):
    """The signature of a thinking block."""

    type: Literal["signature_delta"]
    signature: str


class UnknownDelta(BaseModel, kw_only=True):
    """Part of a block, of a type that this version does not know. Its fields are attributes."""

    type: str


RawContentBlockDelta: TypeAlias = (
    TextDelta | InputJSONDelta | CitationsDelta | ThinkingDelta | SignatureDelta | UnknownDelta
)


class MessageDeltaUsage(BaseModel, kw_only=True):
    """The cumulative usage so far. None means unchanged."""

    output_tokens: int
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    server_tool_use: ServerToolUsage | None = None


class MessageDelta(BaseModel, kw_only=True):
    """Changes of the message itself."""

    stop_reason: StopReason | None = None
    stop_sequence: str | None = None
    container: Any = None


class RawMessageStartEvent(BaseModel, kw_only=True):
    """A message begins, with empty content."""

    type: Literal["message_start"]
    message: Message


class RawMessageDeltaEvent(BaseModel, kw_only=True):
    """The message itself changed."""

    type: Literal["message_delta"]
    delta: MessageDelta
    usage: MessageDeltaUsage


class RawMessageStopEvent(BaseModel, kw_only=True):
    """The message is complete."""

    type: Literal["message_stop"]


class RawContentBlockStartEvent(BaseModel, kw_only=True):
    """A content block begins."""

    type: Literal["content_block_start"]
    index: int
    content_block: ContentBlock


class RawContentBlockDeltaEvent(BaseModel, kw_only=True):
    """Part of a content block."""

    type: Literal["content_block_delta"]
    index: int
    delta: RawContentBlockDelta


class RawContentBlockStopEvent(BaseModel, kw_only=True):
    """A content block is complete."""

    type: Literal["content_block_stop"]
    index: int


class PingEvent(BaseModel, kw_only=True):
    """A sign of life. Only `Stream.all_events` includes it."""

    type: Literal["ping"]


class UnknownEvent(BaseModel, kw_only=True):
    """An event of a type that this version does not know. Only `Stream.all_events` includes it."""

    type: str


RawMessageStreamEvent: TypeAlias = (
    RawMessageStartEvent
    | RawMessageDeltaEvent
    | RawMessageStopEvent
    | RawContentBlockStartEvent
    | RawContentBlockDeltaEvent
    | RawContentBlockStopEvent
    | PingEvent
    | UnknownEvent
)


class TextEvent(BaseModel, kw_only=True):
    """A text delta, and the text of its block so far."""

    type: Literal["text"]
    text: str
    snapshot: str


class CitationEvent(BaseModel, kw_only=True):
    """A citation, and all citations of its block so far."""

    type: Literal["citation"]
    citation: TextCitation
    snapshot: list[TextCitation]


class ThinkingEvent(BaseModel, kw_only=True):
    """A thinking delta, and the thinking of its block so far."""

    type: Literal["thinking"]
    thinking: str
    snapshot: str


class SignatureEvent(BaseModel, kw_only=True):
    """The signature of a thinking block."""

    type: Literal["signature"]
    signature: str


class InputJsonEvent(BaseModel, kw_only=True):
    """Part of a tool's input, and the complete members of the input so far."""

    type: Literal["input_json"]
    partial_json: str
    snapshot: Any


class MessageStopEvent(BaseModel, kw_only=True):
    """The message is complete."""

    type: Literal["message_stop"]
    message: Message


class ContentBlockStopEvent(BaseModel, kw_only=True):
    """A content block is complete."""

    type: Literal["content_block_stop"]
    index: int
    content_block: ContentBlock


MessageStreamEvent: TypeAlias = (
    TextEvent
    | CitationEvent
    | ThinkingEvent
    | SignatureEvent
    | InputJsonEvent
    | RawMessageStartEvent
    | RawMessageDeltaEvent
    | MessageStopEvent
    | RawContentBlockStartEvent
    | RawContentBlockDeltaEvent
    | ContentBlockStopEvent
)
