"""Decoded JSON to typed responses, leniently or strictly (pure).

1. Lenient reading always succeeds: a value of the wrong type stays as it is, a missing field becomes its
   default or None, and unknown fields are kept. Strict reading raises at the first mismatch.
2. In a union with a tag (a field that is a `Literal` in its Structs), the tag decides, whatever the other
   fields are. Otherwise the first member that fits strictly is used and, in lenient reading, if none fits,
   the first of the right shape.
3. The reader of a type is built once, and the fields of a Struct on first use, so types may contain
   themselves.

This module exists because msgspec drops unknown fields and supports unions of Structs only with its own
tags. Scalars (including dates, enums, UUIDs) are left to msgspec.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from functools import cached_property, lru_cache
from typing import Annotated, Any, Literal, NamedTuple, Protocol, TypeVar, Union, cast, get_args, get_origin

import attrs
import msgspec

from .scalars import AnyReader, LiteralReader, MismatchError, ScalarReader, TypedDictReader, mismatch

EXTRA = "_extra"
UNSET = "_unset"
"""Keys in the ``__dict__`` of a Struct that has one: its unknown fields, and the names of unset fields."""

_LISTS = (list, Sequence, MutableSequence, Iterable, Collection)
_DICTS = (dict, Mapping, MutableMapping)
_OBJECTS = (dict, Mapping)
"""Types of JSON objects. dict comes first: a check of an abstract class takes five times as long."""


def construct(value: Any, type_: Any, *, strict: bool = False) -> Any:
    """Build a value of ``type_`` from decoded JSON. Raises `MismatchError`, only if ``strict``."""
    return _reader(type_).read(value, strict=strict)


class _Reader(Protocol):
    @property
    def shape(self) -> type:
        """The type of the values that this reader can read leniently; `NoneType` stands for none."""
        ...

    def read(self, value: Any, *, strict: bool) -> Any:
        """Return ``value`` as the type. Raises `MismatchError`, only if ``strict``."""
        ...


def _reader(type_: Any) -> _Reader:
    try:
        # The arguments are part of the key: Union[A, B] == Union[B, A], but the order matters here.
        return _cached_reader(type_, get_args(type_))
    except TypeError:  # annotations may contain unhashable values
        return _new_reader(type_)


@lru_cache(maxsize=1024)
def _cached_reader(type_: Any, _arguments: tuple[Any, ...]) -> _Reader:
    return _new_reader(type_)


def _new_reader(type_: Any) -> _Reader:
    type_ = unwrapped(type_)
    origin, arguments = get_origin(type_) or type_, get_args(type_)
    if origin is Union or origin is types.UnionType:
        members = _UnionReader(tuple(unwrapped(member) for member in arguments))
        return _OptionalReader(members) if types.NoneType in arguments else members
    if origin is Literal:
        return LiteralReader(type_, frozenset(arguments))
    if isinstance(origin, type) and issubclass(origin, msgspec.Struct):
        return _StructReader(type_, origin)
    if origin in _LISTS:
        return _ListReader(arguments[0] if arguments else Any)
    if origin in _DICTS:
        return _DictReader(arguments[1] if arguments else Any)
    if type_ in (Any, object) or isinstance(type_, TypeVar):
        return AnyReader()
    if typing.is_typeddict(type_):
        return TypedDictReader(type_)
    return ScalarReader(type_)


def unwrapped(type_: Any) -> Any:
    """Return the type that `Annotated`, a type alias or a `NewType` stands for."""
    while not isinstance(type_, type):
        origin = get_origin(type_)
        if origin is Annotated:
            type_ = get_args(type_)[0]
        elif hasattr(origin, "__value__"):  # an alias with parameters
            type_ = origin.__value__[get_args(type_)]
        elif hasattr(type_, "__value__"):
            type_ = type_.__value__
        elif hasattr(type_, "__supertype__"):
            type_ = type_.__supertype__
        else:
            break
    return type_


@attrs.frozen
class _OptionalReader:
    """A union with None as a member. The value is often None, so no member has to be tried."""

    members: _UnionReader
    shape = object

    def read(self, value: Any, *, strict: bool) -> Any:
        return None if value is None else self.members.read(value, strict=strict)


@attrs.define(slots=False)
class _ListReader:
    item_type: Any
    shape = list

    @cached_property
    def item(self) -> _Reader:
        return _reader(self.item_type)

    def read(self, value: Any, *, strict: bool) -> Any:
        if not isinstance(value, list):
            return mismatch(value, strict, "array")
        items: list[Any] = []
        try:
            for item in cast("list[Any]", value):
                items.append(self.item.read(item, strict=strict))  # noqa: PERF401  # its length is the index of a mismatch
        except MismatchError as error:
            raise error.inside(f"[{len(items)}]") from None
        return items


@attrs.define(slots=False)
class _DictReader:
    value_type: Any
    shape = Mapping

    @cached_property
    def value(self) -> _Reader:
        return _reader(self.value_type)

    def read(self, value: Any, *, strict: bool) -> Any:
        if not isinstance(value, _OBJECTS):
            return mismatch(value, strict, "object")
        items: dict[str, Any] = {}
        for key, item in cast("_Json", value).items():
            try:
                items[key] = self.value.read(item, strict=strict)
            except MismatchError as error:
                raise error.inside(f".{key}") from None
        return items


_Json = Mapping[str, Any]


class _Field(NamedTuple):
    name: str
    key: str
    reader: _Reader
    required: bool


@attrs.define(slots=False)
class _StructReader:
    type_: Any
    cls: type[msgspec.Struct]
    shape = Mapping

    @cached_property
    def fields(self) -> tuple[_Field, ...]:
        return tuple(
            _Field(field.name, field.encode_name, _reader(field.type), field.required)
            for field in msgspec.structs.fields(self.type_)
        )

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(field.key for field in self.fields)

    def read(self, value: Any, *, strict: bool) -> Any:
        if isinstance(value, self.cls):
            return value
        if not isinstance(value, _OBJECTS):
            return mismatch(value, strict, "object")
        given = cast("_Json", value)
        known: dict[str, Any] = {}
        unset: list[str] = []
        for name, key, reader, required in self.fields:
            if key in given:
                try:
                    known[name] = reader.read(given[key], strict=strict)
                except MismatchError as error:
                    raise error.inside(f".{key}") from None
                continue
            unset.append(name)
            if required:
                if strict:
                    raise MismatchError(f"Object missing required field `{key}`")
                known[name] = None
        if len(unset) + len(given) == len(self.fields):
            return self._made(known, unset, {})
        return self._made(known, unset, {key: item for key, item in given.items() if key not in self.keys})

    def _made(self, known: dict[str, Any], unset: list[str], extra: dict[str, Any]) -> msgspec.Struct:
        model = self.cls(**known)
        if self.cls.__struct_config__.dict:
            vars(model)[UNSET] = frozenset(unset)
            vars(model)[EXTRA] = extra
        return model


class _UnionReader:
    def __init__(self, members: tuple[Any, ...]) -> None:
        self._readers = tuple(_reader(member) for member in members)
        self._tag, by_tag = _tags(members)
        self._by_tag = {tag: tuple(_reader(member) for member in tagged) for tag, tagged in by_tag.items()}
        self._names = " | ".join(getattr(member, "__name__", str(member)) for member in members)

    shape = object

    def read(self, value: Any, *, strict: bool) -> Any:
        tagged = self._tagged(value)
        if len(tagged) == 1:
            return tagged[0].read(value, strict=strict)
        for reader in tagged or self._readers:
            try:
                return reader.read(value, strict=True)
            except MismatchError:
                continue
        if strict:
            return mismatch(value, strict, self._names)
        for reader in tagged[::-1] or self._readers:
            if isinstance(value, reader.shape):
                return reader.read(value, strict=False)
        return value

    def _tagged(self, value: Any) -> tuple[_Reader, ...]:
        if self._tag is None or not isinstance(value, _OBJECTS):
            return ()
        tag = cast("_Json", value).get(self._tag)
        return self._by_tag.get(tag, ()) if isinstance(tag, str) else ()


def _tags(members: tuple[Any, ...]) -> tuple[str | None, dict[str, list[Any]]]:
    """Return the key of the tag that the Structs of a union share, and the members of each tag.

    A Struct without that field, or with a plain `str` as its type, reads values with unknown tags.
    """
    literals = [(member, found) for member in members if (found := _literals(member))]
    if not literals:
        return None, {}
    names = [name for name in literals[0][1] if all(name in found for _, found in literals)]
    tag = "type" if "type" in names or not names else names[0]
    by_tag: dict[str, list[Any]] = {}
    for member, found in literals:
        for value in found.get(tag, ()):
            by_tag.setdefault(value, []).append(member)
    return tag, by_tag


def _literals(member: Any) -> dict[str, tuple[str, ...]]:
    origin = get_origin(member) or member
    if not (isinstance(origin, type) and issubclass(origin, msgspec.Struct)):
        return {}
    fields = {field.encode_name: unwrapped(field.type) for field in msgspec.structs.fields(member)}
    return {key: get_args(type_) for key, type_ in fields.items() if get_origin(type_) is Literal}
