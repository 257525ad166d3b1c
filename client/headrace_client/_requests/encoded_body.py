"""A JSON body or the fields of a form, encoded for the first attempt and kept for the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


class EncodedBody:
    """What a request sends. Its values may be iterators, and their owner may change them between attempts.

    ``boundary``: between the parts of a form.
    """

    __slots__ = ("_encoded", "_values", "boundary")

    def __init__(self) -> None:
        self.begin("")

    def begin(self, boundary: str) -> None:
        """Forget what an earlier request with the same options has sent."""
        self.boundary = boundary
        self._values: tuple[object, object] | None = None
        self._encoded: Any = None

    def once(self, body: object, extra: object, encode: Callable[[], T]) -> T:
        """Return what ``encode`` returned for the same two objects, or call it."""
        values = self._values
        if values is None or values[0] is not body or values[1] is not extra:
            self._encoded, self._values = encode(), (body, extra)
        return self._encoded
