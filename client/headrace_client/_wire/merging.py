"""What grows in a stream, and what is replaced: from the pieces of an answer to the whole answer (pure).

1. Inside a delta, what is known to grow grows: texts, arguments, reasoning, audio, and lists of parts.
   Everything else (names, ids, roles, verdicts) is replaced by its newest value: servers repeat it in every
   chunk.
2. Nothing is replaced by emptiness: null, ``""``, ``[]`` and ``{}`` carry nothing.
3. A growing value that changes its type loses nothing: it becomes a list of what came, in that order.
4. Parts of a list are found by number (``index``), else by id. A part with another id, type or function name
   than the one under its number is a new part. A piece that names nothing continues the last part.

The members of an object are kept as they came until a second piece arrives. Fragments of a text are joined on
access: the cost grows with the length of the answer, not with its square.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from .part_identity import (
    GROWING,
    arguments_of,
    as_list,
    as_object,
    begins_call,
    continues,
    id_of,
    is_another,
    is_empty,
    is_rest_of_call,
    number_of,
)
from .surrogates import with_whole_characters

_GROWING_INSIDE: Final[Mapping[str, frozenset[str]]] = {
    "audio": frozenset({"data"}),
    "custom": frozenset({"input"}),  # OpenAI's tools with free text as their input
}
"""Members that come in pieces inside one object only."""

_GROWING_LISTS: Final = GROWING | {"reasoning_details", "thinking_blocks", "token_ids", "tool_calls"}
"""Lists of which every chunk brings more. Others may repeat what they brought before."""

_REPORTS: Final = frozenset(
    {
        "annotations",
        "citations",
        "content_filter_result",
        "content_filter_results",
        "error",
        "search_results",
        "usage",
    }
)
"""What a delta may report about the answer: never pieces of it, even if a member is named ``text``."""


class GrowingObject:
    """An object of which a stream brings pieces. ``value``: the object so far."""

    __slots__ = ("_members", "_name")

    def __init__(self, members: Mapping[str, Any], name: str = "delta") -> None:
        self._members = dict(members)
        self._name = name

    def add(self, delta: Mapping[str, Any], *, also: str = "") -> None:
        """Take the next delta. ``also``: one more member that grows in it."""
        growing = _GROWING_INSIDE.get(self._name, frozenset())
        reports = self._name in _REPORTS
        for name, piece in delta.items():
            grows = not reports and (name in GROWING or name in growing or name == also)
            inner = self._name if reports else name  # what is inside a report belongs to it
            self._members[name] = _with_piece(self._members.get(name), piece, inner, grows=grows)

    def collect(self, members: Mapping[str, Any]) -> None:
        """Take lists whose items are all new, whatever they are; of other members the newest values."""
        for name, value in members.items():
            before = self._members.get(name)
            items = as_list(value)
            if items is None:
                self._members[name] = newest(before, value)
                continue
            if not isinstance(before, _Items):
                self._members[name] = before = _Items(as_list(before) or ())
            before.extend(items)

    def get(self, name: str, /) -> Any:
        """Return a member as it is kept: a name that has not come in pieces, or what collects the pieces."""
        return self._members.get(name)

    def replace(self, members: Mapping[str, Any]) -> None:
        """Take the newest values of members that do not come in pieces."""
        for name, value in members.items():
            self._members[name] = newest(self._members.get(name), value)

    def fill(self, members: Mapping[str, Any]) -> None:
        """Take the members that no delta has brought."""
        for name, value in members.items():
            if is_empty(self._members.get(name)):
                self._members[name] = value

    @property
    def value(self) -> dict[str, Any]:
        """The object so far: a new one each time, with members of its own where they grow."""
        return {name: _settled(member) for name, member in self._members.items()}


def newest(before: Any, value: Any) -> Any:
    """Return the newest value of what does not come in pieces: objects member by member, the rest as a whole.

    Servers report different members of such an object at different times.
    """
    if is_empty(value):
        return value if before is None else before
    old, new = as_object(before), as_object(value)
    if old is None or new is None:
        return value
    return {**old, **{name: newest(old.get(name), member) for name, member in new.items()}}


class _Text(list[str]):
    """The fragments of a text. Half a character stays as it is: its other half may come later."""

    def settled(self) -> str:
        if len(self) > 1:
            self[:] = ["".join(self)]
        return with_whole_characters(self[0])


class _Items(list[Any]):
    """The items of a list that are not parts: numbers, names, log probabilities."""

    def settled(self) -> list[Any]:
        return list(self)


class _Parts:
    """The parts of a list, each an object that grows or a plain value."""

    __slots__ = ("_by_id", "_by_number", "_name", "_parts")

    def __init__(self, items: Iterable[Any], name: str) -> None:
        self._name = name
        self._parts: list[Any] = []
        self._by_number: dict[object, int] = {}
        self._by_id: dict[tuple[object, object], int] = {}
        for item in items:
            self._append(item)

    def extend(self, items: list[Any]) -> None:
        """Take the items of the next piece."""
        if self._name not in _GROWING_LISTS and self._are_repeated_by(items):
            items = items[len(self._parts) :]
        for position, item in enumerate(items):
            piece = as_object(item)
            if piece == {} or (piece is not None and self._is_repeated_call(piece)):
                continue
            place = None if piece is None else self._place(piece, position)
            if piece is None or place is None:
                self._append(item)
                continue
            part = self._parts[place]
            if not isinstance(part, GrowingObject):
                self._parts[place] = part = GrowingObject(part, self._name)
            self._note(piece, place)
            if self._name == "tool_calls" and part.get("id"):
                piece = {name: value for name, value in piece.items() if name != "id"}
            part.add(piece)

    def settled(self) -> list[Any]:
        return [_settled(part) for part in self._parts]

    def _append(self, item: Any) -> None:
        self._parts.append(item)
        if (part := as_object(item)) is not None:
            self._note(part, len(self._parts) - 1)

    def _note(self, item: Mapping[str, Any], place: int) -> None:
        number = number_of(item)
        if number is not None:
            self._by_number[number] = place
        if key := id_of(item):
            self._by_id[number, key] = self._by_id[None, key] = place

    def _place(self, item: Mapping[str, Any], position: int) -> int | None:
        """Return where the part is that an item continues, None for a new part."""
        number, key = number_of(item), id_of(item)
        if key and (number, key) in self._by_id:
            place = self._by_id[number, key]
            return None if begins_call(item, self._parts[place]) else place
        if key and (None, key) in self._by_id and is_rest_of_call(item):
            return self._by_id[None, key]  # under another number
        if number is not None:
            place = self._by_number.get(number)
            if place is None and not key and self._parts and is_rest_of_call(item):
                return len(self._parts) - 1
            return place if place is not None and not is_another(item, self._parts[place]) else None
        if key or position or not self._parts or self._name in _REPORTS:
            return None
        last = self._parts[-1]
        return len(self._parts) - 1 if continues(item, last) else None

    def _is_repeated_call(self, item: Mapping[str, Any]) -> bool:
        """Return whether an item is a whole call that came in pieces before: some servers end with it."""
        key = id_of(item)
        if key is None or (place := self._by_id.get((number_of(item), key))) is None:
            return False
        part = self._parts[place]
        return begins_call(item, part) and arguments_of(item) == arguments_of(part)

    def _are_repeated_by(self, items: list[Any]) -> bool:
        """Return whether the items are those so far, with or without more."""
        if self._by_number or len(items) < len(self._parts) or items[0] != _settled(self._parts[0]):
            return False
        return items[: len(self._parts)] == self.settled()


class _Mixed(list[Any]):
    """The values of a member that changed its type."""

    def __init__(self, runs: Iterable[Any], name: str) -> None:
        super().__init__(runs)
        self._name = name

    def settled(self) -> list[Any]:
        values: list[Any] = []
        for run in map(_settled, self):
            if (items := as_list(run)) is not None:
                values += items
            else:
                is_part = isinstance(run, str) and self._name == "content"
                values.append({"type": "text", "text": run} if is_part else run)
        return values


def _with_piece(before: Any, piece: Any, name: str, *, grows: bool) -> Any:
    """Return a member after its next piece."""
    part, items = as_object(piece), as_list(piece)
    if before is None or is_empty(piece):
        return piece if before is None else before
    if not grows and part is None and items is None:
        return piece
    if isinstance(before, _Mixed):
        before[-1] = after = _with_piece(before[-1], piece, name, grows=grows)
        if isinstance(after, _Mixed):
            before[-1:] = after
        return before
    node = _node(before, name)
    if isinstance(node, _Text) and isinstance(piece, str):
        node.append(piece)
    elif isinstance(node, GrowingObject) and part is not None:
        node.add(part)
    elif isinstance(node, _Parts | _Items) and items is not None:
        node.extend(items)
    elif grows and not is_empty(before) and not (_is_flag(before) and _is_flag(piece)):
        return _Mixed([node, piece], name)
    else:
        return piece
    return node


def _is_flag(value: object) -> bool:
    return not isinstance(value, str | list | dict | GrowingObject | _Parts)


def _node(value: Any, name: str) -> Any:
    """Return what collects the pieces that follow a value."""
    if isinstance(value, str):
        return _Text([value])
    if isinstance(value, _Text | _Items):
        return value
    if (members := as_object(value)) is not None:
        return GrowingObject(members, name)
    if (items := as_list(value)) is not None:
        return _Parts(items, name)
    return value


def _settled(member: Any) -> Any:
    if isinstance(member, GrowingObject):
        return member.value
    if isinstance(member, _Text | _Items | _Parts | _Mixed):
        return member.settled()
    return member
