"""Models of responses, for the tests of construction."""

import enum
from typing import Any, Generic, Literal, NewType, TypedDict, TypeVar

import msgspec

from headrace_client._models.base_model import BaseModel

T = TypeVar("T")
UserId = NewType("UserId", str)


class Basic(BaseModel):
    foo: str


class Tree(BaseModel):
    name: str
    children: "list[Tree]"


class A(BaseModel):
    type: Literal["a"]
    data: bool


class B(BaseModel):
    type: Literal["b"]
    data: int


class Unknown(BaseModel):
    type: str


class Color(enum.Enum):
    red = "red"


class Box(BaseModel, Generic[T]):
    content: list[T]


class Renamed(BaseModel):
    from_: str = msgspec.field(name="from")


class Settings(BaseModel, kw_only=True):
    limit: int = 10
    note: str | None = None
    tags: list[str] = msgspec.field(default_factory=list[str])
    name: str


class Place(TypedDict):
    city: str


class Everything(BaseModel, kw_only=True):
    type: A | B | Basic | None = None
    data: list[A | B] | None = None
    foo: float
    name: str | dict[str, Tree]
    children: list[Tree]
    content: dict[str, Any]
    limit: Settings | None
    tags: Literal["a", "b"]
