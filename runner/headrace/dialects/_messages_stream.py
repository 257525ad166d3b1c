"""Assembles the events of a streamed message into the message as it would be without streaming (pure)."""

from __future__ import annotations

from typing import Any, cast

from headrace.job import Failure, Success
from headrace_client.lowlevel import MessageAccumulator, ServerSentEvent, UnexpectedEventError

from ._failures import failure_from_event
from ._json import encode
from ._judgement import AnswerRules, read_answer
from ._messages_response import MESSAGE_RULES


class MessageEvents:
    """The `Events` of one message: complete with ``message_stop``."""

    def __init__(self, rules: AnswerRules = MESSAGE_RULES) -> None:
        self._rules = rules
        self._accumulator = MessageAccumulator()
        self.has_token = False

    @property
    def complete(self) -> bool:
        return self._accumulator.complete

    def take(self, event: ServerSentEvent) -> Failure | None:
        if not event.data:
            return None
        value = event.json()
        if not isinstance(value, dict):
            raise UnexpectedEventError("an event is not a JSON object")
        value = cast("dict[str, Any]", value)
        if value.get("type") == "error" or event.event == "error":
            return failure_from_event(event.data)
        self.has_token = self.has_token or value.get("type") == "content_block_delta"
        self._accumulator.add(value)
        return None

    def success(self) -> Success:
        return read_answer(encode(self._accumulator.message), self._rules)
