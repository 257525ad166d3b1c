"""Copies of a client, and resources with other settings."""

from __future__ import annotations

import inspect

import pytest

from headrace_client import Anthropic, AsyncAnthropic, omit
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio


async def test_a_copy_of_a_client_without_credentials_has_none(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    client = backend.client_class()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "late")

    assert client.copy().api_key is None


async def test_copy_takes_every_parameter_of_the_constructor(backend: Backend) -> None:
    cls = Anthropic if backend.name == "sync" else AsyncAnthropic
    parameters = inspect.signature(cls).parameters.keys() - {"_strict_response_validation"}

    assert parameters <= inspect.signature(cls.copy).parameters.keys()
    assert cls.with_options is cls.copy


async def test_a_copy_keeps_what_is_not_changed(backend: Backend) -> None:
    Mine = backend.subclass()  # noqa: N806  # a class
    seen: list[object] = []
    client = Mine(
        api_key="k",
        base_url="https://h/",
        timeout=9,
        max_retries=7,
        default_headers={"X-A": "1"},
        default_query={"a": 1},
        on_retry=seen.append,
        max_retry_after=5,
        _strict_response_validation=True,
    )
    copy = client.copy()

    assert type(copy) is Mine
    assert copy._client is client._client
    assert copy._strict_response_validation is True
    for name in (
        "api_key",
        "auth_token",
        "base_url",
        "timeout",
        "max_retries",
        "on_retry",
        "max_retry_after",
    ):
        assert getattr(copy, name) == getattr(client, name)
    assert copy.default_headers == client.default_headers
    assert copy.default_query == client.default_query


async def test_a_copy_with_changes(backend: Backend) -> None:
    client = backend.client_class(api_key="k", timeout=9)

    assert client.copy(api_key="other").api_key == "other"
    assert client.copy(api_key="").auth_headers == {}
    assert client.copy(max_retries=0).max_retries == 0
    assert client.copy(timeout=None).timeout is None
    assert client.copy(timeout=3).timeout == 3
    assert client.copy(headers={"X-A": "1"}).default_headers["X-A"] == "1"
    assert client.copy(on_retry=None, max_retry_after=1).max_retry_after == 1
    assert client.timeout == 9


async def test_headers_and_query_of_copies(backend: Backend) -> None:
    """They are merged, ignoring case, or replaced; not both."""
    client = backend.client_class(default_headers={"X-A": "1", "x-b": "1"}, default_query={"a": 1, "b": 1})

    merged = client.copy(default_headers={"x-a": "2", "X-B": omit}, default_query={"b": 2})
    again = merged.copy(default_headers={"X-A": "3"})
    replaced = client.copy(set_default_headers={"X-C": "3"}, set_default_query={"c": 3})

    assert merged.default_headers["x-a"] == "2"
    assert not {"X-A", "x-b", "X-B"} & merged.default_headers.keys()
    assert merged.default_query == {"a": 1, "b": 2}
    assert again.default_headers["X-A"] == "3"
    assert "x-a" not in again.default_headers
    assert replaced.default_query == {"c": 3}
    assert replaced.default_headers["X-C"] == "3"
    assert "X-A" not in replaced.default_headers
    assert client.default_query == {"a": 1, "b": 1}
    with pytest.raises(
        ValueError, match="`default_headers` and `set_default_headers` arguments are mutually"
    ):
        client.copy(set_default_headers={}, default_headers={"X-Foo": "Bar"})
    with pytest.raises(ValueError, match="`default_query` and `set_default_query` arguments are mutually"):
        client.copy(set_default_query={}, default_query={"foo": "Bar"})


async def test_options_of_a_resource(backend: Backend) -> None:
    api = ScriptedAPI([reply(500), reply(json={"input_tokens": 1})])
    client = backend.connect(api, max_retries=0)

    messages = client.messages.with_options(timeout=120.0, headers={"X-Request-ID": "abc"}, max_retries=5)
    await settle(messages.count_tokens(model="m", messages=[]))

    assert [request.headers["x-request-id"] for request in api.requests] == ["abc", "abc"]
    assert api.requests[0].extensions["timeout"]["read"] == 120.0
    assert len(backend.clock.sleeps) == 1  # the copy has the client's clock
    assert type(messages) is type(client.messages)
