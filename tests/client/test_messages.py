"""``messages.create`` and ``count_tokens``."""

from __future__ import annotations

import json
import warnings
from typing import Any

import httpx
import pytest

from headrace_client import APIResponseValidationError, omit
from headrace_client.resources._message_params import END_OF_LIFE, _successor
from headrace_client.testing import reply
from headrace_client.types import Message, MessageTokensCount
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
PROMPT: dict[str, Any] = {
    "model": "claude-sonnet-5-5",
    "max_tokens": 16,
    "messages": [{"role": "user", "content": "Hi"}],
}


async def test_create(backend: Backend) -> None:
    client, api = backend.scripted(reply(json=MESSAGE, headers={"request-id": "req_1"}))

    message = await settle(
        client.messages.create(
            **PROMPT, temperature=0.5, system=omit, stop_sequences=["x"], metadata={"user_id": "u"}
        )
    )

    assert isinstance(message, Message)
    assert message.content[0].text == "Hello"
    assert message._request_id == "req_1"
    assert (api.requests[0].method, api.requests[0].url.path) == ("POST", "/v1/messages")
    assert json.loads(api.requests[0].content) == {
        **PROMPT,
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u"},
    }


async def test_extras(backend: Backend) -> None:
    client, api = backend.scripted(reply(json=MESSAGE))

    await settle(
        client.messages.create(
            **PROMPT,
            stream=False,
            extra_headers={"X-A": "1"},
            extra_query={"q": "2"},
            extra_body={"max_tokens": 7, "new": True},
            timeout=9,
        )
    )

    request = api.requests[0]
    assert request.headers["x-a"] == "1"
    assert request.url.query == b"q=2"
    assert json.loads(request.content) == {**PROMPT, "stream": False, "max_tokens": 7, "new": True}
    assert request.extensions["timeout"]["read"] == 9


@pytest.mark.parametrize("missing", ["model", "max_tokens", "messages"])
async def test_required_parameters(backend: Backend, missing: str) -> None:
    client, _ = backend.scripted()
    params = {name: value for name, value in PROMPT.items() if name != missing}

    with pytest.raises(TypeError, match="Missing required arguments; Expected either"):
        await settle(client.messages.create(**params))


async def test_unknown_parameters(backend: Backend) -> None:
    client, _ = backend.scripted()

    with pytest.raises(TypeError, match=r"create\(\) got an unexpected keyword argument 'max_token'"):
        await settle(client.messages.create(**PROMPT, max_token=1))
    with pytest.raises(TypeError, match=r"count_tokens\(\) got an unexpected keyword argument 'max_tokens'"):
        await settle(client.messages.count_tokens(**PROMPT))
    with pytest.raises(TypeError, match="Missing required argument: 'messages'"):
        await settle(client.messages.count_tokens(model="m"))


@pytest.mark.parametrize(
    ("params", "settings", "refused"),
    [
        ({"max_tokens": 21_333}, {}, False),
        ({"max_tokens": 21_334}, {}, True),
        ({"max_tokens": "many"}, {}, False),
        ({"max_tokens": 21_334, "timeout": 600.0}, {}, False),
        ({"max_tokens": 21_334, "timeout": None}, {}, False),
        ({"max_tokens": 21_334}, {"timeout": 600.0}, False),
        ({"max_tokens": 21_334}, {"timeout": httpx.Timeout(600, connect=5.0)}, True),
        ({"max_tokens": 8192, "model": "claude-opus-4-1-20250805"}, {}, False),
        ({"max_tokens": 8193, "model": "claude-opus-4-1-20250805"}, {}, True),
        ({"max_tokens": 8193, "model": "claude-opus-4-20250514"}, {}, True),
        ({"max_tokens": 8193, "model": "anthropic.claude-opus-4-20250514-v1:0"}, {}, True),
    ],
)
@pytest.mark.filterwarnings("ignore:The model 'claude-opus-4:DeprecationWarning")  # the slow models are old
async def test_long_answers_need_a_stream(
    backend: Backend, params: Any, settings: Any, refused: bool
) -> None:
    client, api = backend.scripted(reply(json=MESSAGE), **settings)

    if refused:
        with pytest.raises(
            ValueError, match="Streaming is required for operations that may take longer than 10 minutes"
        ):
            await settle(client.messages.create(**{**PROMPT, **params}))
    else:
        await settle(client.messages.create(**{**PROMPT, **params}))

    assert len(api.requests) == (not refused)


@pytest.mark.parametrize(
    ("model", "day", "successor"),
    [
        ("claude-sonnet-4-5", "November 30th, 2026", "claude-sonnet-5-5"),
        ("claude-opus-4-5-20251101", "January 22nd, 2027", "claude-opus-5-5"),
        ("claude-3-5-haiku-latest", "February 19th, 2026", "claude-haiku-5-5"),
        ("claude-instant-1.2", "November 6th, 2024", "claude-haiku-5-5"),
        ("claude-mythos-preview", "June 30th, 2026", "claude-mythos-5-2"),
        ("claude-2.1", "July 21st, 2025", "claude-sonnet-5-5"),
    ],
)
async def test_a_model_that_is_retired_warns_with_the_day_and_a_newer_model(
    backend: Backend, model: str, day: str, successor: str
) -> None:
    client, _ = backend.scripted(reply(json=MESSAGE))

    with pytest.warns(DeprecationWarning, match="^The model") as caught:
        await settle(client.messages.create(**{**PROMPT, "model": model}))

    first, second = str(caught[0].message).splitlines()
    assert first == f"The model '{model}' is deprecated and will reach end-of-life on {day}."
    assert second.startswith(f"Please migrate to a newer model, for example '{successor}'. See https://")


def test_no_successor_is_retired_itself() -> None:
    assert not END_OF_LIFE.keys() & {_successor(model) for model in END_OF_LIFE}


async def test_the_warning_of_a_model_points_to_the_line_that_calls(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json=MESSAGE), reply(json=MESSAGE))

    with pytest.warns(DeprecationWarning, match="^The model 'claude-2.1'") as caught:
        await settle(client.messages.create(**{**PROMPT, "model": "claude-2.1"}))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        await settle(client.messages.create(**PROMPT))

    if not backend.is_async:  # a coroutine's caller is the one who awaits it
        assert caught[0].filename == __file__


async def test_a_model_with_a_deprecated_kind_of_thinking(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json=MESSAGE))

    with pytest.warns(UserWarning, match="claude-opus-4-6"):
        await settle(
            client.messages.create(
                **{**PROMPT, "model": "claude-opus-4-6"}, thinking={"type": "enabled", "budget_tokens": 1024}
            )
        )


async def test_count_tokens(backend: Backend) -> None:
    client, api = backend.scripted(reply(json={"input_tokens": 42}))

    count = await settle(client.messages.count_tokens(model="m", messages=[], system="s"))

    assert isinstance(count, MessageTokensCount)
    assert count.input_tokens == 42
    assert api.requests[0].url.path == "/v1/messages/count_tokens"
    assert json.loads(api.requests[0].content) == {"model": "m", "messages": [], "system": "s"}


@pytest.mark.parametrize("body", ["", "{", "nonsense"])
async def test_responses_that_are_not_json(backend: Backend, body: str) -> None:
    """The error keeps the cause and is not retried."""
    client, api = backend.scripted(reply(body=body, headers={"content-type": "application/json"}))

    with pytest.raises(APIResponseValidationError) as caught:
        await settle(client.messages.create(**PROMPT))

    assert caught.value.__cause__ is not None
    assert len(api.requests) == 1
