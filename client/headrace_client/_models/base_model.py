"""The base class of all typed responses: a msgspec Struct that keeps unknown fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, Literal, Self, TypeVar, cast

import attrs
import msgspec

from .construct import EXTRA, UNSET, construct

_SCALARS = frozenset({str, int, float, bool, NoneType})
"""The types of most values; they are JSON already."""

ModelT = TypeVar("ModelT", bound="BaseModel")


class BaseModel(msgspec.Struct, kw_only=True, dict=True):
    """A typed response. Fields that its class does not declare are attributes as well.

    The response itself, but not the models inside it, also has ``_request_id``, the API's id of the request.
    It is public; the underscore separates it from the API's own fields.

    Subclasses may declare required fields after optional ones if they also pass ``kw_only=True``. Equality
    compares the declared fields.
    """

    @classmethod
    def construct(cls, _fields_set: set[str] | None = None, **values: Any) -> Self:
        """Build one from decoded JSON without validation: nested models are built, mismatches are kept."""
        model: Self = construct(values, cls)
        if _fields_set is not None:
            vars(model)[UNSET] = frozenset(cls.__struct_fields__) - _fields_set
        return model

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that the class does not declare, as plain builtins."""
        return self.__dict__.get(EXTRA, {})

    @property
    def model_fields_set(self) -> set[str]:
        """The names of the fields that were set, declared or not."""
        return (set(self.__struct_fields__) - _unset(self)) | self.model_extra.keys()

    def to_dict(
        self,
        *,
        mode: Literal["json", "python"] = "python",
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return the model as nested dicts and lists, including unknown fields.

        ``mode="json"`` also converts dates and the like to JSON types. ``use_api_names``: use the API's name
        of a field that has another one in Python. By default, fields that were not set are left out.
        """
        dump = _Dump(
            json=mode == "json",
            api_names=use_api_names,
            unset=not exclude_unset,
            defaults=not exclude_defaults,
            none=not exclude_none,
        )
        return dump.fields(self)

    def to_json(
        self,
        *,
        indent: int | None = 2,
        use_api_names: bool = True,
        exclude_unset: bool = True,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> str:
        """Return the model as JSON text; with ``indent=None`` on one line without spaces."""
        value = self.to_dict(
            mode="json",
            use_api_names=use_api_names,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )
        encoded = msgspec.json.encode(value)
        return (encoded if indent is None else msgspec.json.format(encoded, indent=indent)).decode()

    def __getattr__(self, name: str) -> Any:
        # Called only if the normal lookup fails, so an unknown field never hides a method.
        try:
            return self.__dict__[EXTRA][name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def __repr__(self) -> str:
        values = {name: getattr(self, name) for name in self.__struct_fields__} | self.model_extra
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})"

    def __copy__(self) -> Self:
        return _rebuilt(type(self), self._values(), dict(self.__dict__))

    def __reduce__(self) -> tuple[Any, ...]:
        # msgspec's own method loses the __dict__, and with it all unknown fields.
        return _rebuilt, (type(self), self._values(), dict(self.__dict__))

    def _values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__struct_fields__}


def with_request_id(model: ModelT, request_id: str | None) -> ModelT:
    """Set the id of the request on a model, and return the model."""
    vars(model)["_request_id"] = request_id
    return model


def _rebuilt(cls: type[ModelT], values: Mapping[str, Any], state: Mapping[str, Any]) -> ModelT:
    model = cls(**values)
    vars(model).update(state)
    return model


@attrs.frozen(kw_only=True)
class _Dump:
    """How models become builtins: which fields, and under which names."""

    json: bool
    api_names: bool
    unset: bool
    defaults: bool
    none: bool

    def fields(self, model: BaseModel) -> dict[str, Any]:
        """Return the fields of a model, and of those inside it."""
        cls = type(model)
        left_out = frozenset[str]() if self.unset else _unset(model)
        result: dict[str, Any] = {}
        for name, api_name in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True):
            value = getattr(model, name)
            if name in left_out or (value is None and not self.none):
                continue
            if self.defaults or not _is_default(model, name):
                result[api_name if self.api_names else name] = self._plain(value)
        extra = model.model_extra.items()
        return result | {key: item for key, item in extra if self.none or item is not None}

    def _plain(self, value: Any) -> Any:
        if type(value) in _SCALARS:  # most values are, and `match` takes five times as long
            return value
        match value:
            case BaseModel():
                return self.fields(value)
            case list():
                return [self._plain(item) for item in cast("list[Any]", value)]
            case dict():
                return {key: self._plain(item) for key, item in cast("dict[Any, Any]", value).items()}
            case _:
                return msgspec.to_builtins(value) if self.json else value


def _unset(model: BaseModel) -> frozenset[str]:
    """Return the names of the declared fields that were not set."""
    unset: frozenset[str] | None = model.__dict__.get(UNSET)
    if unset is None:  # made with its constructor, which does not record it
        return frozenset(name for name in model.__struct_fields__ if _is_default(model, name))
    return unset


def _is_default(model: BaseModel, name: str) -> bool:
    field = _fields(type(model))[name]
    if field.default_factory is not msgspec.NODEFAULT:
        return getattr(model, name) == field.default_factory()
    return field.default is not msgspec.NODEFAULT and getattr(model, name) == field.default


@lru_cache(maxsize=1024)
def _fields(cls: type[BaseModel]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(cls)}
