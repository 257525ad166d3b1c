"""A streamed answer of the Messages API put together into the message that it would have been (pure)."""

from __future__ import annotations

from typing import Any, cast

from headrace.job import Failure, Success
from headrace_client.lowlevel import MessageAccumulator, ServerSentEvent, UnexpectedEventError

from ._failures import failure_from_event
from ._messages_answer import read_message
from ._records import encode


class MessageEvents:
    """The `Events` of one answer: complete with ``message_stop``."""

    def __init__(self) -> None:
        self._accumulator = MessageAccumulator()
        self.has_token = False

    @property
    def complete(self) -> bool:
        """Whether the stream said that the message is whole."""
        return self._accumulator.complete

    def take(self, event: ServerSentEvent) -> Failure | None:
        """Add one event, or say what error it is."""
        if not event.data:
            return None
        value = event.json()
        if not isinstance(value, dict):
            raise UnexpectedEventError("an event is no JSON object")
        value = cast("dict[str, Any]", value)
        if value.get("type") == "error" or event.event == "error":
            return failure_from_event(event.data)
        self.has_token = self.has_token or value.get("type") == "content_block_delta"
        self._accumulator.add(value)
        return None

    def success(self) -> Success:
        """Return the message; raises where it has no stop reason."""
        return read_message(encode(self._accumulator.message))
