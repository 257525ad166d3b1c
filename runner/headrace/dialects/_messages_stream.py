"""Assembles the events of a streamed message into the message as it would be without streaming (pure)."""

from __future__ import annotations

from typing import Any

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import MessageAccumulator, StreamEvent

from ._failures import failure_from_event
from ._judgement import AnswerRules, read_answer
from ._messages_response import MESSAGE_RULES


class MessageEvents:
    """The `Events` of one message: complete with ``message_stop``."""

    finished = False  # a message that ends without message_stop is cut off

    def __init__(self, rules: AnswerRules = MESSAGE_RULES, request: JobRequest | None = None) -> None:
        self._rules = rules
        self._request = request
        self._accumulator = MessageAccumulator()
        self.has_token = False

    @property
    def complete(self) -> bool:
        return self._accumulator.complete

    @property
    def started(self) -> bool:
        return self._accumulator.started

    def closes(self, event: StreamEvent) -> bool:
        return event.name == "message_stop" and event.is_object

    def take(self, event: StreamEvent) -> Failure | None:
        if event.is_error:
            return failure_from_event(event.text)
        if event.is_object:
            self.has_token = self.has_token or event.name == "content_block_delta"
            self._accumulator.add({**event.members, "type": event.name})
        return None

    def value(self) -> dict[str, Any]:
        return self._accumulator.message

    def read(self, body: bytes) -> Success:
        return read_answer(body, self._rules, self._request)
