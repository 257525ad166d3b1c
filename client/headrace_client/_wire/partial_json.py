"""JSON that is still arriving: the value of its beginning (pure).

A text can be cut and closed where a container has just opened or a member is complete. Between two such
positions the nesting does not change, so only the last position and the open brackets have to be kept.
"""

from __future__ import annotations

from typing import Any

import msgspec

_CLOSERS = {"{": "}", "[": "]"}


class PartialJSON:
    """Collects the parts of one JSON object or array.

    An incomplete member is left out: ``{"a": [1, 2`` is read as ``{"a": [1]}``, because more digits may
    follow the 2.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._cut = 0
        self._open: list[str] = []
        self._in_string = False
        self._escaped = False
        self._key_next = False

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._parts)

    def feed(self, part: str) -> None:
        """Take the next part of the text."""
        for offset, character in enumerate(part, self._length):
            if self._in_string:
                self._step_in_string(character, offset)
            else:
                self._step(character, offset)
        self._parts.append(part)
        self._length += len(part)

    def value(self) -> Any:
        """Decode the text so far; None before a container has opened.

        Raises `msgspec.DecodeError` if no JSON text begins with it.
        """
        text = self.text
        if self._open or not self._cut:
            text = text[: self._cut] + "".join(reversed(self._open))
        return msgspec.json.decode(text) if text else None

    def _step_in_string(self, character: str, offset: int) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
            if not self._key_next:
                self._cut = offset + 1

    def _step(self, character: str, offset: int) -> None:
        match character:
            case '"':
                self._in_string = True
            case "{" | "[":
                self._open.append(_CLOSERS[character])
                self._key_next = character == "{"
                self._cut = offset + 1
            case "}" | "]":
                del self._open[-1:]
                self._cut = offset + 1
                self._key_next = False
            case ",":
                self._cut = offset
                self._key_next = self._open[-1:] == ["}"]
            case ":":
                self._key_next = False
            case _:  # white space, or part of a number or literal, which only the next delimiter completes
                pass
