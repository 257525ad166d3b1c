"""Assembles the chunks of a streamed chat completion into the completion as it would be unstreamed (pure).

The choices of a chunk carry deltas. Texts are appended to, lists of numbered parts (``tool_calls``) are
merged by number, other lists are extended, names are set once, and anything unknown is kept. The fragments
of a text are joined once, at the end: the cost of a long answer is linear in its length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from headrace.job import Failure, Success
from headrace_client.lowlevel import ServerSentEvent

from ._chat_response import CHAT_RULES
from ._failures import failure_from_event
from ._json import encode
from ._judgement import AnswerRules, read_answer

_END: Final = "[DONE]"
_SET_ONCE: Final = frozenset({"role", "type", "id", "name", "finish_reason"})


class _Text(list[str]):
    """The fragments of a text that is not complete yet."""


class _Parts(dict[object, Any]):
    """The parts of a list that is not complete yet, by number if they have one."""


class ChatEvents:
    """The `Events` of one completion: complete with ``[DONE]``."""

    def __init__(self, rules: AnswerRules = CHAT_RULES) -> None:
        self._rules = rules
        self._completion: dict[str, Any] = {}
        self._choices: dict[int, dict[str, Any]] = {}
        self.has_token = False
        self.complete = False

    def take(self, event: ServerSentEvent) -> Failure | None:
        if event.data == _END:
            self.complete = True
        if self.complete or not event.data:
            return None
        chunk = event.json()
        if not isinstance(chunk, dict):
            raise TypeError("a chunk is not a JSON object")
        chunk = cast("dict[str, Any]", chunk)
        if chunk.get("error") or chunk.get("object") == "error" or event.event == "error":
            return failure_from_event(event.data)
        for choice in chunk.pop("choices", None) or ():
            self._add_choice(choice)
        self._completion.update({key: value for key, value in chunk.items() if value is not None})
        return None

    def _add_choice(self, choice: Mapping[str, Any]) -> None:
        index = choice.get("index", 0)
        message = {"role": "assistant", "content": None}
        merged = self._choices.setdefault(index, {"index": index, "message": message, "finish_reason": None})
        delta: dict[str, Any] = choice.get("delta") or {}
        self.has_token = self.has_token or any(value for key, value in delta.items() if key != "role")
        _merge(merged["message"], delta)
        _merge(merged, {key: value for key, value in choice.items() if key != "delta"})

    def success(self) -> Success:
        choices = [_joined(self._choices[index]) for index in sorted(self._choices)]
        completion = {**self._completion, "object": "chat.completion", "choices": choices}
        return read_answer(encode(completion), self._rules)


def _merge(merged: dict[str, Any], delta: Mapping[str, Any]) -> None:
    """Merge a delta into what earlier deltas made."""
    for key, value in delta.items():
        if value is None:
            merged.setdefault(key, None)
        elif isinstance(value, str) and key not in _SET_ONCE:
            _append(merged, key, value)
        elif isinstance(value, list):
            _extend(merged, key, cast("list[Any]", value))
        elif isinstance(value, dict):
            part: dict[str, Any] = merged.get(key) or {}
            _merge(part, cast("dict[str, Any]", value))
            merged[key] = part
        elif value != "":
            merged[key] = value


def _append(merged: dict[str, Any], key: str, fragment: str) -> None:
    if not isinstance(text := merged.get(key), _Text):
        merged[key] = text = _Text()
    text.append(fragment)


def _extend(merged: dict[str, Any], key: str, items: list[Any]) -> None:
    if not isinstance(parts := merged.get(key), _Parts):
        merged[key] = parts = _Parts()
    for item in items:
        number: object = cast("dict[str, Any]", item).get("index") if isinstance(item, dict) else None
        if number is None:
            parts[f"unnumbered {len(parts)}"] = item
        else:
            _merge(parts.setdefault(number, {}), cast("dict[str, Any]", item))


def _joined(value: Any) -> Any:
    """Return a value with its fragments joined to plain strings and lists."""
    if isinstance(value, _Text):
        return "".join(value)
    if isinstance(value, _Parts):
        return [_without_number(_joined(part)) for part in value.values()]
    if isinstance(value, dict):
        return {key: _joined(member) for key, member in cast("dict[str, Any]", value).items()}
    return value


def _without_number(part: Any) -> Any:
    """Return a part without its ``index``, which only deltas have."""
    if not isinstance(part, dict):
        return part
    return {key: value for key, value in cast("dict[str, Any]", part).items() if key != "index"}
