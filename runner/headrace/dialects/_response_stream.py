"""Assembles the events of a streamed response (``/v1/responses``): the last one has the whole response.

The names of the events do not say how it ended: servers send ``response.completed`` for a response that is
incomplete. `read_answer` judges the status inside. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import GrowingObject, StreamEvent, as_object, is_empty, number_of

from ._chat_response import CHAT_RULES
from ._failures import failure_from_event
from ._judgement import AnswerRules, read_answer

_TERMINAL: Final = frozenset(
    {"response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"}
)

_PLACES: Final[Mapping[str, tuple[str, str | None, str | None]]] = {
    "output_text": ("content", "output_text", "text"),
    "refusal": ("content", "refusal", "refusal"),
    "reasoning_text": ("content", "reasoning_text", "text"),
    "reasoning_summary_text": ("summary", "summary_text", "text"),
    "function_call_arguments": ("arguments", None, None),
    "mcp_call_arguments": ("arguments", None, None),
    "custom_tool_call_input": ("input", None, None),
    "code_interpreter_call_code": ("code", None, None),
}
"""By the name of a delta: the member of its item, and the type and the member of the part inside."""

_TYPES: Final = {"arguments": "function_call", "input": "custom_tool_call", "summary": "reasoning"}
"""The type of an item whose start never came, by its first member."""


class ResponseEvents:
    """The `Events` of one response: complete with its terminal event. There is no ``[DONE]``."""

    finished = False  # a response that ends without its terminal event is cut off

    def __init__(self, rules: AnswerRules = CHAT_RULES, request: JobRequest | None = None) -> None:
        self._rules = rules
        self._request = request
        self._response: dict[str, Any] = {}
        self._items: dict[object, _Item] = {}
        self.has_token = False
        self.complete = False

    @property
    def started(self) -> bool:
        return bool(self._response or self._items)

    def closes(self, event: StreamEvent) -> bool:
        return event.name in _TERMINAL and isinstance(event.members.get("response"), dict)

    def take(self, event: StreamEvent) -> Failure | None:
        if event.is_error:
            return failure_from_event(event.text)
        members = event.members
        self._response = as_object(members.get("response")) or self._response
        if (item := as_object(members.get("item"))) is not None:
            self._item(members).begin(item, is_whole=event.name.endswith(".done"))
        if event.name.endswith(".delta"):
            self.has_token = True
            if isinstance(delta := members.get("delta"), str):
                self._item(members).add(event.name.removeprefix("response.").removesuffix(".delta"), delta)
        self.complete = self.closes(event)
        return None

    def _item(self, members: Mapping[str, Any]) -> _Item:
        return self._items.setdefault(number_of({"index": members.get("output_index")}), _Item())

    def value(self) -> dict[str, Any]:
        """Return the response so far, with the items that it leaves out."""
        response = {"object": "response", **self._response}
        if is_empty(response.get("output")) and self._items:
            response["output"] = [item.value() for item in self._items.values()]
        return response

    def read(self, body: bytes) -> Success:
        return read_answer(body, self._rules, self._request)


class _Item:
    """One item of the output. Its last event has it as a whole; until then, it is what its deltas bring."""

    def __init__(self) -> None:
        self._members: dict[str, Any] = {}
        self._texts = GrowingObject({})
        self._is_whole = False

    def begin(self, members: dict[str, Any], *, is_whole: bool) -> None:
        self._members = members
        self._is_whole = self._is_whole or is_whole

    def add(self, name: str, delta: str) -> None:
        self._texts.add({name: delta}, also=name)

    def value(self) -> dict[str, Any]:
        texts = self._texts.value
        if self._is_whole or not texts:
            return self._members
        parts: dict[str, Any] = {}
        for name, text in texts.items():
            member, kind, key = _PLACES.get(name, (name, None, None))
            if key is None:
                parts[member] = text
            else:
                parts.setdefault(member, []).append({"type": kind, key: text})
        return {"type": _TYPES.get(next(iter(parts)), "message"), **self._members, **parts}
