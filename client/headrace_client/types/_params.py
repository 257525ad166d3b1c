"""The parameters of a request. Plain dicts work as well; these types are for type checkers and editors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, Required, TypeAlias, TypedDict

from headrace_client._models.base_model import BaseModel


class CacheControlParam(TypedDict, total=False):
    """Cache the prompt up to and including the block that has this field."""

    type: Required[Literal["ephemeral"]]
    ttl: Literal["5m", "1h"]


class TextBlockParam(TypedDict, total=False):
    """A block of text."""

    type: Required[Literal["text"]]
    text: Required[str]
    cache_control: CacheControlParam | None


ContentBlockParam: TypeAlias = TextBlockParam | Mapping[str, object] | BaseModel
"""A block of a message: a dict of any type that the API knows, or a block of an earlier response."""


class MessageParam(TypedDict):
    """One turn of the conversation."""

    role: Literal["user", "assistant"]
    content: str | Iterable[ContentBlockParam]


class MetadataParam(TypedDict, total=False):
    """Information about the request for the provider."""

    user_id: str | None


class ToolParam(TypedDict, total=False):
    """A tool of the caller that the model may request to run. ``input_schema``: JSON Schema."""

    name: Required[str]
    input_schema: Required[Mapping[str, object]]
    description: str
    type: str | None
    cache_control: CacheControlParam | None


ToolUnionParam: TypeAlias = ToolParam | Mapping[str, object]
"""A tool of the caller or of the provider."""
