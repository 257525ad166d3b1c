"""Structured output: a type becomes the JSON schema for the model, and the model's text becomes that type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, TypeVar, cast

import msgspec

from headrace_client._models.construct import construct
from headrace_client._wire.json import decode
from headrace_client.types import Message, TextBlock

T = TypeVar("T")

PARSE_HELPER = {"X-Stainless-Helper": "messages.parse"}


class ParsedMessage(Message, Generic[T], kw_only=True):
    """A message whose text is JSON of a given type."""

    @property
    def parsed_output(self) -> T:
        """The text as that type.

        It is parsed on access, so a message that does not fit is not lost: the model may refuse, or reach
        ``max_tokens`` in the middle (see ``stop_reason``). Raises `msgspec.DecodeError` if the text is not
        JSON, and its subclass `msgspec.ValidationError` if it does not fit the type.
        """
        text = "".join(block.text for block in self.content if isinstance(block, TextBlock))
        return construct(decode(text), self.__dict__["_output_type"], strict=True)


def parsed(message: Message, output_type: type[T]) -> ParsedMessage[T]:
    """Return the message with its text to be parsed as ``output_type``."""
    result = ParsedMessage[T](**{name: getattr(message, name) for name in message.__struct_fields__})
    vars(result).update(vars(message), _output_type=output_type)
    return result


def parse_params(params: Mapping[str, Any], output_type: Any) -> dict[str, Any]:
    """Return the parameters of a request for an answer of this type.

    Raises `TypeError` for a type that JSON schema cannot describe.
    """
    output_format = {"type": "json_schema", "schema": output_schema(output_type)}
    config: dict[str, Any] = {**(params.get("output_config") or {}), "format": output_format}
    headers: dict[str, Any] = {**PARSE_HELPER, **(params.get("extra_headers") or {})}
    return {**params, "output_config": config, "extra_headers": headers}


def output_schema(output_type: Any) -> dict[str, Any]:
    """Return the JSON schema of a type. As the API requires, objects have no additional properties.

    Raises `TypeError` for a type that JSON schema cannot describe.
    """
    return _closed(msgspec.json.schema(output_type))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(item) for item in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(item) for key, item in cast("dict[str, Any]", schema).items()}
    if closed.get("type") == "object" and "properties" in closed:
        closed["additionalProperties"] = False
    return closed
