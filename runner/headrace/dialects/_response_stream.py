"""Assembles the events of a streamed response (``/v1/responses``): the last one has the whole response.

The names of the events do not say how it ended: servers send ``response.completed`` for a response that is
incomplete. `read_answer` judges the status inside. Pure.
"""

from __future__ import annotations

from typing import Any, Final

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import GrowingObject, StreamEvent, as_object, is_empty, number_of

from ._chat_response import CHAT_RULES
from ._failures import failure_from_event
from ._judgement import AnswerRules, read_answer

_TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"}
)


class ResponseEvents:
    """The `Events` of one response: complete with its terminal event. There is no ``[DONE]``."""

    finished = False  # a response that ends without its terminal event is cut off

    def __init__(self, rules: AnswerRules = CHAT_RULES, request: JobRequest | None = None) -> None:
        self._rules = rules
        self._request = request
        self._response: dict[str, Any] = {}
        self._items: dict[object, dict[str, Any]] = {}
        self._texts = GrowingObject({})
        self.has_token = False
        self.complete = False

    @property
    def started(self) -> bool:
        return bool(self._response or self._items or self._texts.value)

    def closes(self, event: StreamEvent) -> bool:
        return event.name in _TERMINAL and isinstance(event.members.get("response"), dict)

    def take(self, event: StreamEvent) -> Failure | None:
        if event.is_error:
            return failure_from_event(event.text)
        members = event.members
        self._response = as_object(members.get("response")) or self._response
        if (item := as_object(members.get("item"))) is not None:
            self._items[number_of({"index": members.get("output_index")})] = item
        if event.name.endswith(".delta"):
            self.has_token = True
            self._take_delta(event.name, members.get("delta"))
        self.complete = self.closes(event)
        return None

    def _take_delta(self, name: str, delta: object) -> None:
        """Keep a piece of text. The terminal event repeats it; without one it is all that there is."""
        if isinstance(delta, str):
            member = name.removeprefix("response.").removesuffix(".delta")
            self._texts.add({member: delta}, also=member)

    def value(self) -> dict[str, Any]:
        """Return the response so far, with the items that it leaves out."""
        response = {"object": "response", **self._response}
        if is_empty(response.get("output")) and self._items:
            response["output"] = list(self._items.values())
        if not self.complete:
            response |= self._texts.value
        return response

    def read(self, body: bytes) -> Success:
        return read_answer(body, self._rules, self._request)
