"""Events of a Messages stream to the message that they tell, on plain builtins (pure).

1. ``message_start`` brings the message, ``content_block_start`` a block, ``content_block_delta`` a piece
   of a block, ``message_delta`` what changed in the message. All else (``ping``, events of a later API) is
   passed over.
2. Nothing is lost that this module does not know: fields are kept, blocks are taken whole, and a delta
   of an unknown type is added field by field (text to text, list to list, anything else replaces).
3. Pieces of text are joined when somebody looks, not as they come: a long answer costs its length, not
   its square.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from .partial_json import PartialJSON


class UnexpectedEventError(ValueError):
    """An event speaks of a message or a block that no event before it has started."""


class MessageAccumulator:
    """Adds events up. ``complete`` is True once ``message_stop`` has come."""

    def __init__(self) -> None:
        self.complete = False
        self._message: dict[str, Any] | None = None
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._inputs: dict[int, PartialJSON] = {}

    def add(self, event: Mapping[str, Any]) -> None:
        """Take the next event. Raises `UnexpectedEventError`, also for one that lacks what its type needs."""
        try:
            self._add(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedEventError(f"a malformed {event.get('type')} event") from error

    @property
    def message(self) -> dict[str, Any]:
        """The message as far as it is told; the accumulator's own, which later events change.

        A tool's input that is not whole shows its complete members.
        Raises `UnexpectedEventError` before the start.
        """
        for index in {index for index, _ in self._texts} | self._inputs.keys():
            self._settle(index)
        return self._started()

    def block(self, index: int) -> dict[str, Any]:
        """The content block of this index as far as it is told. Raises `UnexpectedEventError`."""
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
            raise UnexpectedEventError(f"content block {index} started where {len(content)} comes next")
        content.append(dict(block))

    def _change_message(self, event: Mapping[str, Any]) -> None:
        message = self._started()
        message.update(event.get("delta") or {})
        for key, value in event.items():
            if key == "usage":
                message["usage"] = _counted(message.get("usage"), value)
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
        """Write what has arrived for one block into it."""
        for field in ("text", "thinking"):
            if pieces := self._texts.pop((index, field), None):
                block = self._block(index)
                block[field] = (block.get(field) or "") + "".join(pieces)
        if (parts := self._inputs.get(index)) and parts.text:
            self._block(index)["input"] = _input(parts)


def _own_copy(message: Mapping[str, Any]) -> dict[str, Any]:
    return {**message, "content": [dict(block) for block in message.get("content") or ()]}


def _input(parts: PartialJSON) -> Any:
    """Decode a tool's input.

    The model is stopped in the middle of one by ``max_tokens``, and may write one that is no JSON where the
    API does not check it; that is kept as the provider's guide to fine-grained tool streaming advises.
    """
    try:
        return parts.value()
    except msgspec.DecodeError:
        return {"INVALID_JSON": parts.text}


def _counted(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> dict[str, Any]:
    """Bring the usage up to date: counts are cumulative, and one that is null is unchanged, not zero."""
    return {**(before or {}), **{name: count for name, count in (now or {}).items() if count is not None}}


def _add_fields(block: dict[str, Any], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "type":
            continue
        before: Any = block.get(name)
        joins = isinstance(before, str | list) and type(before) is type(value)  # pyright: ignore[reportUnknownArgumentType]  # JSON
        block[name] = before + value if joins else value
