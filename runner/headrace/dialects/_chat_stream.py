"""Assembles the chunks of a streamed completion, chat or text, into the completion as it would be unstreamed.

Each choice carries a piece: a ``delta`` (chat) or a ``text``. `GrowingObject` decides what grows in it and
what is replaced. A member next to the delta reports about the answer (filters, reasons, usage, the whole
message so far): its newest value holds. Only what is reported token by token grows there. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import (
    GrowingObject,
    StreamEvent,
    as_list,
    as_object,
    is_empty,
    newest,
    number_of,
)

from ._chat_response import CHAT_RULES
from ._failures import failure_from_event
from ._judgement import AnswerRules, read_answer


class ChatEvents:
    """The `Events` of one completion: complete with ``[DONE]``."""

    def __init__(self, rules: AnswerRules = CHAT_RULES, request: JobRequest | None = None) -> None:
        self._rules = rules
        self._request = request
        self._completion: dict[str, Any] = {}
        self._choices: dict[object, _Choice] = {}
        self.has_token = False
        self.complete = False

    @property
    def started(self) -> bool:
        return bool(self._choices)

    @property
    def finished(self) -> bool:
        return bool(self._choices) and all(choice.reason for choice in self._choices.values())

    def closes(self, event: StreamEvent) -> bool:
        return event.is_done

    def take(self, event: StreamEvent) -> Failure | None:
        if self.closes(event):
            self.complete = True
            return None
        if event.is_error:
            return failure_from_event(event.text)
        chunk = dict(event.members)
        choices = chunk.pop("choices", None)
        for choice in map(as_object, [choices] if as_list(choices) is None else choices):
            if choice is not None:
                self._take_choice(choice)
        for name, value in chunk.items():
            if not is_empty(value):
                self._completion[name] = value
        return None

    def _take_choice(self, piece: Mapping[str, Any]) -> None:
        number = number_of(piece) or 0
        choice = self._choices.setdefault(number, _Choice(number))
        self.has_token = choice.take(piece) or self.has_token

    def value(self) -> dict[str, Any]:
        choices = [choice.value() for choice in sorted(self._choices.values(), key=_Choice.place)]
        is_text = any("text" in choice and "message" not in choice for choice in choices)
        kind = "text_completion" if is_text else "chat.completion"
        completion = {**self._completion, "object": kind, "choices": choices}
        for choice in choices:  # Kimi reports the usage in the last chunk of a choice
            completion.setdefault("usage", choice.get("usage"))
        return {name: value for name, value in completion.items() if value is not None}

    def read(self, body: bytes) -> Success:
        return read_answer(body, self._rules, self._request)


class _Choice:
    """One choice, from its pieces in the chunks."""

    def __init__(self, number: object) -> None:
        self._number = number
        self._reports: dict[str, Any] = {}
        self._message = GrowingObject({"role": "assistant", "content": None})
        self._text = GrowingObject({})
        self._tokens = GrowingObject({})
        self._logprobs = GrowingObject({})
        self._is_chat = False

    @property
    def reason(self) -> object:
        return self._reports.get("finish_reason")

    def place(self) -> tuple[bool, Any]:
        """Return where the choice belongs: by its number, the odd ones last."""
        return not isinstance(self._number, int), self._number

    def take(self, piece: Mapping[str, Any]) -> bool:
        """Take the next piece; return whether it brings a part of the answer."""
        reports = {name: value for name, value in piece.items() if name not in ("delta", "index")}
        delta = _delta(piece.get("delta"))
        self._is_chat = self._is_chat or "delta" in piece or "message" in piece
        text = None if self._is_chat else reports.pop("text", None)
        self._message.add(delta)
        self._text.add({"text": text})
        self._take_tokens(reports)
        self._reports = newest(self._reports, reports)
        return bool(text) or any(value for name, value in delta.items() if name != "role")

    def _take_tokens(self, reports: dict[str, Any]) -> None:
        """Collect what is reported token by token: ids and log probabilities."""
        if isinstance(reports.get("token_ids"), list):
            self._tokens.collect({"token_ids": reports.pop("token_ids")})
        scores = reports.get("logprobs")
        if isinstance(scores, list):
            self._tokens.collect({"logprobs": reports.pop("logprobs")})
        elif isinstance(scores, dict):
            self._logprobs.collect(reports.pop("logprobs"))

    def value(self) -> dict[str, Any]:
        """Return the choice so far."""
        choice = {"index": self._number, "finish_reason": None, **self._reports, **self._tokens.value}
        if logprobs := self._logprobs.value:
            choice["logprobs"] = logprobs
        text = self._text.value.get("text")
        if text is not None:
            choice["text"] = text
        if self._is_chat or text is None:
            choice["message"] = self._whole_message(choice.get("message"))
        return choice

    def _whole_message(self, told: object) -> dict[str, Any]:
        """Return the message that the deltas make, and from ``told``, next to them, what they left out."""
        message = self._message.value
        whole = as_object(told) or {}
        message |= {name: value for name, value in whole.items() if is_empty(message.get(name))}
        if (calls := as_list(message.get("tool_calls"))) is not None:
            message["tool_calls"] = [_without_number(call) for call in calls]
        return message


def _delta(delta: object) -> Mapping[str, Any]:
    """Return a delta as an object; a bare text is content. Raises `TypeError`."""
    if is_empty(delta):
        return {}
    if isinstance(delta, str):
        return {"content": delta}
    if (members := as_object(delta)) is None:
        raise TypeError("a delta is neither an object nor a text")
    return members


def _without_number(call: Any) -> Any:
    """Return a tool call without its ``index``, which only deltas have."""
    members = as_object(call)
    return call if members is None else {name: part for name, part in members.items() if name != "index"}
