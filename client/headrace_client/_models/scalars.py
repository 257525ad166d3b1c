"""Readers of types that contain no Structs: they need no other reader (pure)."""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Mapping
from typing import Any

import attrs
import msgspec


class MismatchError(msgspec.ValidationError):
    """A value does not fit its type; the message says where, in msgspec's format."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = ""

    def inside(self, step: str) -> MismatchError:
        """Prepend a step to the path of the mismatch, and return the error."""
        self.path = step + self.path
        return self

    def __str__(self) -> str:
        return f"{self.problem} - at `${self.path}`" if self.path else self.problem


def mismatch(value: Any, strict: bool, expected: str) -> Any:
    """Return the value as it is. Raises `MismatchError` if ``strict``."""
    if strict:
        raise MismatchError(f"Expected `{expected}`, got `{type(value).__name__}`")
    return value


@attrs.frozen
class AnyReader:
    """Reads any value as it is."""

    shape = object

    def read(self, value: Any, *, strict: bool) -> Any:
        return value


@attrs.frozen
class ScalarReader:
    """Reads what msgspec converts: numbers, text, dates, enums, UUIDs."""

    type_: Any
    shape = type(None)

    def read(self, value: Any, *, strict: bool) -> Any:
        if type(value) is self.type_:
            return value
        if self.type_ is float and isinstance(value, int) and not _is_exact(value):
            return mismatch(value, strict, "float")
        if strict and self.type_ is int and isinstance(value, float) and value.is_integer():
            return int(value)  # JSON does not distinguish 3.0 from 3
        try:
            return _converted(value, self.type_)
        except MismatchError:
            if self.type_ is dt.datetime and (moment := _iso_datetime(value)):
                return moment
            if strict:
                raise
            return value


def _converted(value: Any, type_: Any) -> Any:
    try:
        return msgspec.convert(value, type_)
    except msgspec.ValidationError as error:
        raise MismatchError(str(error)) from None


def _is_exact(number: int) -> bool:
    try:
        return int(float(number)) == number
    except OverflowError:
        return False


def _iso_datetime(value: Any) -> dt.datetime | None:
    """Read an ISO 8601 format that RFC 3339, and so msgspec, does not have."""
    try:
        return dt.datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None


@attrs.frozen
class LiteralReader:
    """Reads one of several values."""

    type_: Any
    values: frozenset[Any]
    shape = types.NoneType

    def read(self, value: Any, *, strict: bool) -> Any:
        if isinstance(value, str) and value in self.values:  # 0.2 us, msgspec takes 1.5
            return value
        return ScalarReader(self.type_).read(value, strict=strict)


@attrs.frozen
class TypedDictReader:
    """Reads a `TypedDict`, which stays a dict."""

    type_: Any
    shape = Mapping

    def read(self, value: Any, *, strict: bool) -> Any:
        if strict:
            _converted(value, self.type_)
        return value
