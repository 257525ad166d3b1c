"""Events of a Messages stream to a message, as plain builtins (pure).

1. ``message_start`` has the message, ``content_block_start`` a block, ``content_block_delta`` a part of a
   block, ``message_delta`` the changes of the message. Other events (``ping``, events of a later API) are
   ignored.
2. What this module does not know is not lost: fields and blocks are kept, and a delta of an unknown type is
   added field by field (text to text, list to list; other values are replaced).
3. Text deltas are joined on access, not on arrival: the cost grows with the length of the text, not with its
   square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .partial_json import PartialJSON


class UnexpectedEventError(ValueError):
    """An event is malformed, or refers to a message or block that has not been started."""


class MessageAccumulator:
    """Builds a message from events. ``complete``: whether ``message_stop`` has arrived."""

    def __init__(self) -> None:
        self.complete = False
        self._message: dict[str, Any] | None = None
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._inputs: dict[int, PartialJSON] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Add the next event. Raises `UnexpectedEventError` if it is out of order or malformed."""
        try:
            self._add(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedEventError(f"a malformed {event.get('type')} event") from error

    @property
    def message(self) -> dict[str, Any]:
        """The message so far. Later events change this same object.

        The input of a tool, while incomplete, has its complete members. Raises `UnexpectedEventError` before
        ``message_start``.
        """
        for index in {index for index, _ in self._texts} | self._inputs.keys():
            self._settle(index)
        return self._started()

    def block(self, index: int) -> dict[str, Any]:
        """Return the content block so far. Raises `UnexpectedEventError` if it has not been started."""
        self._settle(index)
        return self._block(index)

    def _add(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "content_block_delta":
                self._add_delta(event["index"], event["delta"])
            case "content_block_start":
                self._start_block(event["index"], event["content_block"])
            case "content_block_stop":
                self._settle(event["index"])
                self._inputs.pop(event["index"], None)
            case "message_start":
                self._message = _own_copy(event["message"])
            case "message_delta":
                self._change_message(event)
            case "message_stop":
                self.complete = True
            case _:
                pass

    def _started(self) -> dict[str, Any]:
        if self._message is None:
            raise UnexpectedEventError("the stream did not begin with message_start")
        return self._message

    def _block(self, index: int) -> dict[str, Any]:
        content = self._started()["content"]
        if not 0 <= index < len(content):
            raise UnexpectedEventError(f"no content block {index} has started")
        return content[index]

    def _start_block(self, index: int, block: Mapping[str, Any]) -> None:
        content = self._started()["content"]
        if index != len(content):
            raise UnexpectedEventError(f"content block {index} started, but {len(content)} is next")
        content.append(dict(block))

    def _change_message(self, event: Mapping[str, Any]) -> None:
        message = self._started()
        message.update(event.get("delta") or {})
        for key, value in event.items():
            if key == "usage":
                message["usage"] = _updated(message.get("usage"), value)
            elif key not in ("type", "delta"):
                message[key] = value

    def _add_delta(self, index: int, delta: Mapping[str, Any]) -> None:
        block = self._block(index)
        match delta["type"]:
            case "text_delta":
                self._texts.setdefault((index, "text"), []).append(delta["text"])
            case "thinking_delta":
                self._texts.setdefault((index, "thinking"), []).append(delta["thinking"])
            case "input_json_delta":
                self._inputs.setdefault(index, PartialJSON()).feed(delta["partial_json"])
            case "citations_delta":
                _add_fields(block, {"citations": [delta["citation"]]})
            case "signature_delta":
                block["signature"] = delta["signature"]
            case _:
                self._settle(index)
                _add_fields(block, delta)

    def _settle(self, index: int) -> None:
        """Write the collected deltas of a block into it."""
        for field in ("text", "thinking"):
            if deltas := self._texts.pop((index, field), None):
                block = self._block(index)
                block[field] = (block.get(field) or "") + "".join(deltas)
        if (parts := self._inputs.get(index)) and parts.text:
            self._block(index)["input"] = _input(parts)


def _own_copy(message: Mapping[str, Any]) -> dict[str, Any]:
    return {**message, "content": [dict(block) for block in message.get("content") or ()]}


def _input(parts: PartialJSON) -> Any:
    """Decode the input of a tool.

    ``max_tokens`` may end it in the middle, and if the API does not check it, it may not be JSON. Such text
    is kept in the form that the provider's guide to fine-grained tool streaming recommends.
    """
    try:
        return parts.value()
    except msgspec.DecodeError:
        return {"INVALID_JSON": parts.text}


def _updated(usage: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> dict[str, Any]:
    """Update the usage. Counts are cumulative; null means unchanged, not zero."""
    return {**(usage or {}), **{name: count for name, count in (new or {}).items() if count is not None}}


def _add_fields(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "type":
            continue
        before: Any = block.get(name)
        joins = isinstance(before, str | list) and type(before) is type(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        block[name] = before + value if joins else value
