"""Events of a Messages stream to a message, as plain builtins (pure).

1. ``message_start`` has the message, ``content_block_start`` a block, ``content_block_delta`` a part of a
   block, ``message_delta`` the changes of the message. Other events (``ping``, events of a later API) are
   ignored, and so is everything after ``message_stop``. A second ``message_start`` begins the message anew.
2. Blocks are kept in the order of their starts. Their numbers only say which block an event is about: the
   last one that started under that number. A delta for a block that never started starts it.
3. What this module does not know is not lost: fields and blocks are kept, and what a delta of an unknown type
   adds to its block is decided by `GrowingObject`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from .merging import GrowingObject
from .part_identity import as_object, is_empty, number_of
from .partial_json import PartialJSON
from .surrogates import with_whole_characters


class UnexpectedEventError(ValueError):
    """An event is malformed, or comes before the message has been started."""


_KNOWN_DELTAS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "text_delta": ("text", {"type": "text", "text": ""}),
    "thinking_delta": ("thinking", {"type": "thinking", "thinking": "", "signature": ""}),
    "signature_delta": ("signature", {"type": "thinking", "thinking": "", "signature": ""}),
    "citations_delta": ("citation", {"type": "text", "text": ""}),
    "input_json_delta": ("partial_json", {"type": "tool_use", "input": {}}),
}
"""By type: the member that brings something, and the block that it is for, should its start be missing."""

_TEXTS: Final = frozenset({"text", "thinking", "partial_json", "signature"})


class MessageAccumulator:
    """Builds a message from events. ``complete``: whether ``message_stop`` has arrived."""

    def __init__(self) -> None:
        self.complete = False
        self._message: dict[str, Any] | None = None
        self._blocks: list[_Block] = []
        self._by_number: dict[object, _Block] = {}

    @property
    def started(self) -> bool:
        """Whether ``message_start`` has arrived."""
        return self._message is not None

    def add(self, event: Mapping[str, Any]) -> None:
        """Add the next event. Raises `UnexpectedEventError` if it is malformed or comes too early."""
        if self.complete:
            return
        try:
            self._add(event)
        except (KeyError, TypeError, AttributeError) as error:
            raise UnexpectedEventError(f"a malformed {event.get('type')} event: {error}") from error

    @property
    def message(self) -> dict[str, Any]:
        """The message so far. Later events change this same object.

        The input of a tool, while incomplete, has its complete members. Raises `UnexpectedEventError` before
        ``message_start``.
        """
        message = self._started()
        message["content"] = [block.value for block in self._blocks]
        return message

    def find(self, index: object) -> dict[str, Any] | None:
        """Return the content block that events with this index are about, as far as it has arrived.

        None if none has started.
        """
        block = self._block(index)
        return None if block is None else block.value

    def block(self, index: object) -> dict[str, Any]:
        """Return the same. Raises `UnexpectedEventError` if no block has started under this index."""
        block = self.find(index)
        if block is None:
            raise UnexpectedEventError(f"no content block {index} has started")
        return block

    def _add(self, event: Mapping[str, Any]) -> None:
        match event.get("type"):
            case "content_block_delta":
                self._add_delta(event.get("index"), event.get("delta"))
            case "content_block_start":
                self._start_block(event.get("index"), event.get("content_block"))
            case "content_block_stop":
                if block := self._block(event.get("index")):
                    block.is_open = False
            case "message_start":
                self._start(event.get("message"))
            case "message_delta":
                self._change_message(event)
            case "message_stop":
                self.complete = True
                self._started()
            case _:
                pass

    def _started(self) -> dict[str, Any]:
        if self._message is None:
            raise UnexpectedEventError("the stream did not begin with message_start")
        return self._message

    def _start(self, message: Mapping[str, Any] | None) -> None:
        if message is None:
            return
        self._message = {**message}
        content = message.get("content") or ()
        if isinstance(content, str):
            content = [{"type": "text", "text": content}]
        self._blocks = [_Block(block) for block in content]
        self._by_number = dict(enumerate(self._blocks))

    def _block(self, index: object) -> _Block | None:
        """Return the block that an index stands for: without one, the last block."""
        if index is None:
            return self._blocks[-1] if self._blocks else None
        return self._by_number.get(number_of({"index": index}))

    def _start_block(self, index: object, members: Mapping[str, Any] | None) -> None:
        if members is None:
            return
        self._started()
        known = self._block(index) if index is not None else None
        if known is not None and known.is_begun_by(members):
            known.begin_again(members)
        else:
            self._append(index, _Block(members))

    def _append(self, index: object, block: _Block) -> _Block:
        self._blocks.append(block)
        number = len(self._blocks) - 1 if index is None else number_of({"index": index})
        self._by_number[number] = block
        return block

    def _add_delta(self, index: object, delta: Mapping[str, Any] | None) -> None:
        if delta is None or all(is_empty(piece) for name, piece in delta.items() if name != "type"):
            return
        self._started()
        block = self._block(index)
        if block is None:
            block = self._append(index, _Block(_implied_block(delta), is_implied=True))
        block.add(delta)

    def _change_message(self, event: Mapping[str, Any]) -> None:
        message = self._started()
        changes = {name: value for name, value in event.items() if name not in ("type", "delta", "usage")}
        delta: Mapping[str, Any] = event.get("delta") or {}
        for name, value in {**changes, **delta}.items():
            if value is not None or name not in message:
                message[name] = value
        if (usage := as_object(event.get("usage"))) is not None:
            message["usage"] = _updated(as_object(message.get("usage")), usage)


class _Block:
    """A content block, from its start and its deltas."""

    def __init__(self, start: Mapping[str, Any], *, is_implied: bool = False) -> None:
        self._start = start
        self._members = GrowingObject(start)
        self._input = PartialJSON()
        self._value: dict[str, Any] | None = None
        self._is_implied = is_implied
        self._is_touched = is_implied
        self.is_open = True

    @property
    def value(self) -> dict[str, Any]:
        """The block so far."""
        if self._value is None:
            self._value = self._members.value
            for name in ("text", "thinking"):
                if isinstance(text := self._value.get(name), str):
                    self._value[name] = with_whole_characters(text)
            if self._input.text:
                self._value["input"] = _input(self._input)
        return self._value

    def is_begun_by(self, start: Mapping[str, Any]) -> bool:
        """Return whether a start is the one of this block: said again, or late."""
        if not self.is_open:
            return False
        if self._is_implied:
            return _kind(start) == _kind(self._start)
        return (start.get("id") or None) == (self._start.get("id") or None) and (
            bool(start.get("id")) or (not self._is_touched and start == self._start)
        )

    def begin_again(self, start: Mapping[str, Any]) -> None:
        """Take the members of a start that comes late."""
        names = {name: value for name, value in start.items() if name in ("type", "id", "name")}
        self._members.replace(names)
        self._members.fill(start)
        self._is_implied = False
        self._value = None

    def add(self, delta: Mapping[str, Any]) -> None:
        """Take the next delta. Raises `TypeError` if a text is none."""
        self._value = None
        self._is_touched = True
        kind = delta.get("type")
        member = _KNOWN_DELTAS[kind][0] if isinstance(kind, str) and kind in _KNOWN_DELTAS else ""
        rest = {name: value for name, value in delta.items() if name not in ("type", member)}
        piece = delta.get(member)
        if member == "partial_json" and isinstance(piece, dict | list):
            piece = msgspec.json.encode(piece).decode()  # some servers send the whole input as it is
        if member in _TEXTS and not isinstance(piece, str | None):
            raise TypeError(f"{member} is not a text")
        match member:
            case "":
                also = kind.removesuffix("_delta") if isinstance(kind, str) else ""
                self._members.add(rest, also=also)
                return
            case "text" | "thinking":
                self._members.add({member: piece})
            case "partial_json":
                self._input.feed(piece or "")
            case "citation":
                self._members.collect({"citations": [] if piece is None else [piece]})
            case _:
                self._members.replace({member: piece})
        self._members.replace(rest)


def _kind(block: Mapping[str, Any]) -> str:
    """Return the type of a block, one for all kinds of tools: their deltas do not say which."""
    kind = str(block.get("type"))
    return "tool_use" if kind.endswith("tool_use") else kind


def _implied_block(delta: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the start of a block whose first delta came without it."""
    kind = str(delta.get("type") or "text_delta")
    return _KNOWN_DELTAS.get(kind, ("", {"type": kind.removesuffix("_delta")}))[1]


def _input(parts: PartialJSON) -> Any:
    """Decode the input of a tool.

    ``max_tokens`` may end it in the middle, and if the API does not check it, it may not be JSON. Such text
    is kept in the form that the provider's guide to fine-grained tool streaming recommends.
    """
    try:
        return parts.value()
    except msgspec.DecodeError:
        return {"INVALID_JSON": parts.text}


def _updated(usage: dict[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """Update the usage. Counts are cumulative; null means unchanged, not zero."""
    return {**(usage or {}), **{name: count for name, count in new.items() if count is not None}}
