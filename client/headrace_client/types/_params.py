"""What a request holds. Plain dicts do as well: these names are for type checkers and editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Required, TypeAlias, TypedDict

from headrace_client._models.base_model import BaseModel


class CacheControlParam(TypedDict, total=False):
    """Cache the prompt up to and including the block that has this."""

    type: Required[Literal["ephemeral"]]
    ttl: Literal["5m", "1h"]


class TextBlockParam(TypedDict, total=False):
    """Text."""

    type: Required[Literal["text"]]
    text: Required[str]
    cache_control: CacheControlParam | None


ContentBlockParam: TypeAlias = TextBlockParam | Mapping[str, object] | BaseModel
"""A block of a message: a dict of any kind that the API knows, or one out of an earlier answer."""


class MessageParam(TypedDict):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    content: str | Iterable[ContentBlockParam]


class MetadataParam(TypedDict, total=False):
    """What the provider may know about the request."""

    user_id: str | None


class ToolParam(TypedDict, total=False):
    """A tool that the model may ask the caller to run; ``input_schema`` is JSON Schema."""

    name: Required[str]
    input_schema: Required[Mapping[str, object]]
    description: str
    type: str | None
    cache_control: CacheControlParam | None


ToolUnionParam: TypeAlias = ToolParam | Mapping[str, object]
"""A tool of the caller's, or one of the provider's."""
