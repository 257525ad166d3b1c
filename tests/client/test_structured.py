"""``messages.parse``: structured output."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec
import pytest

from headrace_client import BaseModel
from headrace_client.testing import Reply, reply
from headrace_client.types import Message
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": []}


class Pet(BaseModel):
    kind: Literal["cat", "dog"]


class Person(BaseModel):
    name: str
    pets: list[Pet]


def answer(text: str, **fields: Any) -> Reply:
    content = [{"type": "text", "text": text}]
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    return reply(json={**message, "usage": {"input_tokens": 1, "output_tokens": 1}, **fields})


async def test_the_type_becomes_a_schema_and_the_text_the_type(backend: Backend) -> None:
    client, api = backend.scripted(answer('{"name":"Ada","pets":[{"kind":"cat"}]}', novelty=1))

    message = await settle(
        client.messages.parse(**PROMPT, output_format=Person, output_config={"effort": "low"})
    )

    assert message.parsed_output == Person(name="Ada", pets=[Pet(kind="cat")])
    assert isinstance(message, Message)
    assert (message.id, message.novelty) == ("msg_1", 1)
    assert api.requests[0].headers["x-stainless-helper"] == "messages.parse"
    config = json.loads(api.requests[0].content)["output_config"]
    assert config["effort"] == "low"
    assert config["format"]["type"] == "json_schema"
    objects = config["format"]["schema"]["$defs"]
    assert objects.keys() == {"Person", "Pet"}
    assert all(schema["additionalProperties"] is False for schema in objects.values())
    assert objects["Person"]["required"] == ["name", "pets"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('{"name": "Ad', msgspec.DecodeError),
        ("I would rather not.", msgspec.DecodeError),
        ('{"name": 5, "pets": []}', msgspec.ValidationError),
    ],
)
async def test_text_that_does_not_fit_does_not_lose_the_message(
    backend: Backend, text: str, error: type[Exception]
) -> None:
    """The message has been paid for, so only reading it as the type fails."""
    client, _ = backend.scripted(answer(text, stop_reason="max_tokens"))

    message = await settle(client.messages.parse(**PROMPT, output_format=Person))

    assert (message.stop_reason, message.content[0].text) == ("max_tokens", text)
    with pytest.raises(error):
        _ = message.parsed_output
