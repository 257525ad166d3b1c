"""A message in another form than requested: from events to a message, from a message to events (pure).

Some gateways stream to a caller who did not ask for it, and answer a request for a stream with the whole
message.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .accumulator import MessageAccumulator, UnexpectedEventError
from .encoding import encode
from .part_identity import as_list, as_object
from .sse import ServerSentEvent, SSEDecoder
from .stream_event import StreamEvent, read_event, split_event


def message_from_events(body: bytes) -> dict[str, Any] | StreamEvent | None:
    """Return the message that a body of events makes, its error event, or None if it is not whole."""
    decoder, accumulator = SSEDecoder(), MessageAccumulator()
    try:
        received = (*decoder.feed(body), *decoder.finish())
        for event in (read_event(part) for whole in received for part in split_event(whole)):
            if event.is_too_deep and not accumulator.complete:
                return None
            if event.is_error and not accumulator.complete:
                return event
            accumulator.add({**event.members, "type": event.name})
    except UnexpectedEventError:
        return None
    return accumulator.message if accumulator.complete else None


def events_from_message(message: Mapping[str, Any]) -> list[ServerSentEvent]:
    """Return the events that a stream of this message could have had."""
    return [
        ServerSentEvent(event=event["type"], data=encode(event).decode()) for event in _events_of(message)
    ]


def _events_of(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(as_list(message.get("content")) or ()):
        start, delta = _in_two(as_object(block) or {})
        yield {"type": "content_block_start", "index": index, "content_block": start}
        if delta is not None:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    changes = {name: message[name] for name in ("stop_reason", "stop_sequence") if name in message}
    yield {"type": "message_delta", "delta": changes, "usage": message.get("usage") or {}}
    yield {"type": "message_stop"}


def _in_two(block: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return a block without its text, and the delta that brings it; blocks of other types as they are."""
    kind = block.get("type")
    if kind in ("text", "thinking") and block.get(kind):
        return {**block, kind: ""}, {"type": f"{kind}_delta", kind: block[kind]}
    if kind == "tool_use" and block.get("input"):
        return {**block, "input": {}}, {
            "type": "input_json_delta",
            "partial_json": encode(block["input"]).decode(),
        }
    return block, None
