"""Python values as JSON: compact UTF-8 in which every value means what it meant in Python, or an error.

`encode` writes with msgspec and reads back what it wrote. If that equals the value, nothing was changed on
the way, and the bytes are right (3 us for 1 KB). Everything else takes the slow path: `_Converter` turns the
value into builtins that msgspec writes as they are, and knows the path of what it cannot convert.
"""

from __future__ import annotations

import datetime as dt
import io
import math
from collections import UserString
from collections.abc import Iterable, Mapping
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final, TypeAlias, cast
from uuid import UUID

import msgspec

Path: TypeAlias = tuple[str | int, ...]

_WRITE: Final = msgspec.json.Encoder().encode
_READ: Final = msgspec.json.Decoder().decode

_MAX_DEPTH: Final = 100
"""Levels of objects and arrays on the slow path: far below Python's own limit, far above any API's."""
_MAX_SHOWN: Final = 200
"""Characters of a path in a message."""


class EncodingError(TypeError, ValueError):
    """A value cannot be sent as JSON. The message names its path and says what to do; it quotes no value.

    It is both a `TypeError` and a `ValueError`, as which the standard library reports such values.
    """

    def __init__(self, path: Path, problem: str) -> None:
        self.path = path
        self.problem = problem
        super().__init__(path, problem)

    def __str__(self) -> str:
        name = path_text(self.path)
        return f"{name}: {self.problem}" if name else self.problem


def encode(value: object) -> bytes:
    """Return ``value`` as compact JSON in UTF-8.

    As they are: the types of JSON and their subclasses, `Decimal`, numbers and arrays of numpy and its kin.
    As text: dates and times in ISO 8601, `UUID`, paths. As their value: enum members. As objects: mappings,
    dataclasses, attrs instances, msgspec Structs, pydantic models; of this client's models only the fields
    that were set. As arrays: all other iterables; sets in the order of their encoded elements.

    Raises `EncodingError` for everything else, such as bytes, NaN, half a surrogate pair, an object that
    contains itself, or two keys that are the same in JSON.
    """
    try:
        encoded = _WRITE(value)
        if _READ(encoded) == value:
            return encoded
    except Exception:  # noqa: BLE001, S110  # whatever it is, the slow path names it
        pass
    try:
        return _WRITE(_Converter().convert(value, ()))
    except EncodingError:
        raise
    except RecursionError:
        raise EncodingError((), _TOO_DEEP) from None
    except Exception as error:
        raise EncodingError((), f"cannot be sent as JSON: {_described(error)}") from error


def path_text(path: Path) -> str:
    """Return a path as Python writes it: ``messages[0].content``, ``metadata["a b"]``."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.isidentifier():
            text += f".{part}" if text else part
        else:
            text += f"[{part!a}]"
        if len(text) > _MAX_SHOWN:
            return text[:_MAX_SHOWN] + "..."
    return text


_TOO_DEEP: Final = f"the value is nested too deeply to be sent (more than {_MAX_DEPTH} levels)"
_BYTES: Final = "bytes cannot be sent as JSON; encode it (base64) first"
_NOT_FINITE: Final = "{} cannot be sent as JSON; leave the key out or send None"
_SURROGATE: Final = (
    "the text contains half a surrogate pair, which UTF-8 cannot express; decode its source with"
    " errors='replace', or remove it"
)


class _Converter:
    """Converts one value to builtins. It keeps the containers in which it is, to find one within itself."""

    def __init__(self) -> None:
        self._open: set[int] = set()

    def convert(self, value: Any, path: Path) -> Any:
        """Return what msgspec writes as it is. Raises `EncodingError`."""
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):  # first: its members may be text or numbers as well
            return self.convert(value.value, path)
        if isinstance(value, str):
            return text_of(value, path)
        if isinstance(value, int):
            return int.__int__(value)
        if isinstance(value, float):
            return _finite(float.__float__(value), path)
        if isinstance(value, bytes | bytearray | memoryview):
            raise EncodingError(path, _BYTES)
        if (scalar := _scalar(value, path)) is not None:
            return scalar
        return self._container(value, path)

    def _container(self, value: Any, path: Path) -> Any:
        if id(value) in self._open:
            raise EncodingError(path, f"the {_kind(value)} contains itself")
        if len(self._open) >= _MAX_DEPTH:
            raise EncodingError(path, _TOO_DEEP)
        self._open.add(id(value))
        try:
            return self._contents(value, path)
        except (EncodingError, RecursionError):
            raise
        except Exception as error:
            raise EncodingError(
                path, f"the {_kind(value)} cannot be sent as JSON: {_described(error)}"
            ) from error
        finally:
            self._open.discard(id(value))

    def _contents(self, value: Any, path: Path) -> Any:
        if isinstance(value, Mapping):
            return self._object(cast("Mapping[Any, Any]", value), path)
        if isinstance(value, list | tuple):
            return self._array(cast("Iterable[Any]", value), path)
        if isinstance(value, set | frozenset):
            return sorted(self._array(cast("Iterable[Any]", value), path), key=_WRITE)
        if (plain := _plain_form(value)) is not value:
            return self.convert(plain, path)
        if isinstance(value, Iterable) and not isinstance(value, io.IOBase | type):
            return self._array(cast("Iterable[Any]", value), path)
        raise EncodingError(path, f"{_kind(value)} cannot be sent as JSON")

    def _array(self, items: Iterable[Any], path: Path) -> list[Any]:
        return [self.convert(item, (*path, number)) for number, item in enumerate(items)]

    def _object(self, members: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, value in members.items():
            name = self._key(key, path)
            if name in result:
                raise EncodingError(path, f"two keys are {ascii(name)[:80]} in JSON; remove one of them")
            result[name] = self.convert(value, (*path, name))
        return result

    def _key(self, key: Any, path: Path) -> str:
        """Return a key as text, numbers and constants as Python's own `json` writes them."""
        try:
            plain = key if type(key) is str and key.isascii() else self.convert(key, ())
        except EncodingError as error:
            raise EncodingError(path, f"a key of this object: {error}") from error
        if isinstance(plain, str):
            return plain
        if plain is None or isinstance(plain, bool | int | float):
            return _WRITE(plain).decode()
        raise EncodingError(path, f"a key of this object is a {_kind(key)}; the keys of JSON are text")


def text_of(text: str, path: Path) -> str:
    """Return a text as a plain `str`, with the halves of surrogate pairs joined. Raises `EncodingError`."""
    plain = str.__str__(text)
    if plain.isascii():
        return plain
    try:
        plain.encode()
    except UnicodeEncodeError:
        try:
            return plain.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            raise EncodingError(path, _SURROGATE) from None
    return plain


def _finite(number: float, path: Path) -> float:
    if not math.isfinite(number):
        raise EncodingError(path, _NOT_FINITE.format("NaN" if math.isnan(number) else "infinity"))
    return number


def _scalar(value: Any, path: Path) -> object:
    """Return a value that is text or a number in JSON; None for any other value."""
    if isinstance(value, dt.datetime | dt.date | dt.time):
        if value != value:  # pandas' NaT
            raise EncodingError(path, _NOT_FINITE.format("NaT"))
        return value.isoformat()
    if isinstance(value, Decimal):
        if not value.is_finite():
            raise EncodingError(path, _NOT_FINITE.format(str(value)))
        return msgspec.Raw(str(value).encode())  # with all its digits
    if isinstance(value, dt.timedelta):
        return cast("str", msgspec.to_builtins(value))
    if isinstance(value, UUID | UserString):
        return text_of(str(value), path)
    return text_of(str(value), path) if isinstance(value, PurePath) else None


def _plain_form(value: Any) -> Any:
    """Return an instance of a class as a mapping, or what a library's own method makes of it.

    Known by what they have, so that no library is imported. Returns the value itself if it has none of it.
    """
    if isinstance(value, type):
        return value
    if isinstance(value, msgspec.Struct):
        return _struct_members(value)
    if isinstance(value, msgspec.Raw):
        return _READ(value)
    if callable(dump := getattr(value, "model_dump", None)):  # pydantic
        return dump(mode="json")
    if hasattr(value, "__fields_set__") and callable(dump := getattr(value, "dict", None)):  # pydantic 1
        return dump()
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in dataclass_fields(value)}
    if (attributes := getattr(value, "__attrs_attrs__", None)) is not None:
        return {attribute.name: getattr(value, attribute.name) for attribute in attributes}
    return _array_form(value)


def _struct_members(value: Any) -> object:
    """Return the members of a Struct under the names that msgspec writes."""
    if callable(to_dict := getattr(value, "to_dict", None)):  # `BaseModel` knows which fields were set
        return to_dict(mode="json", exclude_unset=True)
    config = value.__struct_config__
    fields = [(field, getattr(value, field.name)) for field in msgspec.structs.fields(value)]
    tag = {} if config.tag is None else {config.tag_field: config.tag}
    if config.array_like:
        return [*tag.values(), *(member for _, member in fields)]
    return tag | {
        field.encode_name: member
        for field, member in fields
        if member is not msgspec.UNSET and not (config.omit_defaults and _is_default(field, member))
    }


def _is_default(field: msgspec.structs.FieldInfo, member: object) -> bool:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory in (list, dict, set) and member == field.default_factory()
    return field.default is not msgspec.NODEFAULT and member == field.default


def _array_form(value: Any) -> Any:
    """Return a number or array of numpy, pandas, torch and the like as builtins."""
    if getattr(getattr(value, "dtype", None), "kind", None) in ("M", "m"):  # its items may be mere integers
        return _dates_form(value)
    for name in ("tolist", "item"):
        if callable(method := getattr(value, name, None)):
            plain = method()
            return value if type(plain) is type(value) else plain
    if callable(method := getattr(value, "__array__", None)):
        return method()
    return value


def _dates_form(value: Any) -> Any:
    """Return numpy's dates as text. Raises `ValueError` for durations, and for a date that is missing."""
    if value.dtype.kind == "m":
        raise ValueError("write its durations as numbers or text first")
    text = value.astype("str").tolist()
    if "'NaT'" in repr(text):
        raise ValueError("it contains NaT")
    return text


def _kind(value: object) -> str:
    cls = type(value)
    return cls.__name__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__name__}"


def _described(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text[:_MAX_SHOWN].encode("unicode_escape").decode()
