"""A file whose bytes are the same each time they are read, from where it stood."""

from __future__ import annotations

import io
from typing import Any, Final

READ_ONCE: Final = "the body can be read only once"
_TEXT: Final = "Files to upload must be opened in binary mode, not text mode."


class BodyConsumed(RuntimeError):
    """A body would have to be sent again that cannot be read again."""


class UploadedFile:
    """A binary file, from where it stood. ``whole_at_end``: if it stands at its end, all of it is meant."""

    def __init__(self, file: Any, *, whole_at_end: bool = False) -> None:
        if isinstance(file, io.TextIOBase):
            raise TypeError(_TEXT)
        self._file = file
        self._start = _position(file)
        self.size = None if self._start is None else _size(file, self._start)
        if whole_at_end and self._start and self.size == 0:
            self._start, self.size = 0, self._start
        self._begun = False
        self._left = self.size
        self._most = self._count = 0

    def rewind(self) -> str | None:
        if not self._begun:
            return None
        if self._start is None:
            return READ_ONCE
        try:
            self._file.seek(self._start)
            if self._file.tell() != self._start:
                return "the body cannot be read again: its file did not seek"
        except Exception as error:  # noqa: BLE001  # the caller's file may raise anything
            return f"the body cannot be read again: {error!r}"
        self._begun = False
        return None

    def begin(self) -> None:
        """Begin to read, from the start. Raises `BodyConsumed`."""
        if reason := self.rewind():
            raise BodyConsumed(reason)
        if self._start is not None:
            self._begun = True
            if self.rewind():
                self._start = None  # its position is right the first time
        self._begun = True
        self._left, self._count = self.size, 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; none at the end. What was appended in the meantime is not read.

        Raises `BodyConsumed` if less can be read than the time before.
        """
        data = self._file.read(size if self._left is None else min(size, self._left))
        if isinstance(data, str):
            raise TypeError(_TEXT)
        if self._left is not None:
            self._left -= len(data)
        self._count += len(data)
        if not data and self._count < self._most:
            raise BodyConsumed("the body is shorter than the time before")
        self._most = max(self._most, self._count)
        return data


def _position(file: Any) -> int | None:
    """Return where the file stands; None if it cannot go back there."""
    try:
        if hasattr(file, "seekable") and not file.seekable():
            return None
        position = file.tell() if hasattr(file, "seek") else None
    except Exception:  # noqa: BLE001  # the caller's file may raise anything
        return None
    return position if isinstance(position, int) and position >= 0 else None


def _size(file: Any, start: int) -> int | None:
    """Return how many bytes follow ``start``; None if the file does not say. It stands there again.

    A file that says it has none may be one whose ``seek`` does nothing, so it is read to find out.
    """
    try:
        end = file.seek(0, io.SEEK_END)
        end = file.tell() if end is None else end
        file.seek(start)
    except Exception:  # noqa: BLE001  # the caller's file may raise anything
        return None
    return end - start if end > 0 and end >= start else None
