"""JSON that is still arriving: the value that its beginning already holds (pure).

A text may be cut and closed where a container has just opened or a member is complete. Between two
such places the nesting does not change, so the last one and the brackets open now are all there is to keep.
"""

from __future__ import annotations

from typing import Any

import msgspec

_CLOSERS = {"{": "}", "[": "]"}


class PartialJSON:
    """Collects the pieces of one JSON object or array.

    A member that is not complete is left out: ``{"a": [1, 2`` reads ``{"a": [1]}``, since the 2 may go on.
    """

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0
        self._cut = 0
        self._open: list[str] = []
        self._in_string = False
        self._escaped = False
        self._key_next = False

    @property
    def text(self) -> str:
        """All that has arrived."""
        return "".join(self._pieces)

    def feed(self, piece: str) -> None:
        """Take the next piece of the text."""
        for offset, character in enumerate(piece, self._length):
            if self._in_string:
                self._step_in_string(character, offset)
            else:
                self._step(character, offset)
        self._pieces.append(piece)
        self._length += len(piece)

    def value(self) -> Any:
        """Decode what is there; the whole text where it is complete, and None before anything opened.

        Raises `msgspec.DecodeError` when the text is not the beginning of any JSON.
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
