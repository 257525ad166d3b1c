"""Answers of a given form: a type becomes the JSON schema that the model keeps to, its text that type."""

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
    """A message whose text is JSON of a given form."""

    @property
    def parsed_output(self) -> T:
        """The text as that type.

        Made when it is asked for, so that a message that does not fit is not lost: the model may refuse, or
        reach ``max_tokens`` in the middle (see ``stop_reason``). Raises `msgspec.DecodeError` then, or, of
        that, `msgspec.ValidationError`.
        """
        text = "".join(block.text for block in self.content if isinstance(block, TextBlock))
        return construct(decode(text), self.__dict__["_output_type"], strict=True)


def parsed(message: Message, output_type: type[T]) -> ParsedMessage[T]:
    """Return the message with the means to read its text as ``output_type``."""
    result = ParsedMessage[T](**{name: getattr(message, name) for name in message.__struct_fields__})
    vars(result).update(vars(message), _output_type=output_type)
    return result


def parse_params(params: Mapping[str, Any], output_type: Any) -> dict[str, Any]:
    """Return the parameters of the request that asks for an answer of this form."""
    form = {"type": "json_schema", "schema": output_schema(output_type)}
    config: dict[str, Any] = {**(params.get("output_config") or {}), "format": form}
    headers: dict[str, Any] = {**PARSE_HELPER, **(params.get("extra_headers") or {})}
    return {**params, "output_config": config, "extra_headers": headers}


def output_schema(output_type: Any) -> dict[str, Any]:
    """Return the JSON schema of a type, closed as the API demands: objects have no other properties."""
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
