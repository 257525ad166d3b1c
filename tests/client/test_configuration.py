"""The settings of a client, and its copies."""

from __future__ import annotations

import inspect
import math
from typing import Any

import httpx
import pytest

import headrace_client
from headrace_client import DEFAULT_TIMEOUT, Anthropic, AsyncAnthropic, omit
from headrace_client._base_client.base import BaseClient
from headrace_client.testing import reply
from tests.client.backends import Backend, settle
from tests.client.conftest import CANARY

pytestmark = pytest.mark.anyio


def test_everything_is_a_keyword() -> None:
    parameters = inspect.signature(Anthropic).parameters

    assert {parameter.kind for parameter in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    assert parameters.keys() == inspect.signature(AsyncAnthropic).parameters.keys()
    assert {
        "api_key",
        "auth_token",
        "base_url",
        "timeout",
        "max_retries",
        "default_headers",
        "default_query",
        "http_client",
        "_strict_response_validation",
    } <= parameters.keys()


async def test_environment(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://env.test/v9")

    client = backend.client_class()

    assert client.api_key == CANARY
    assert client.auth_token == "token"
    assert client.base_url == "https://env.test/v9/"


async def test_empty_environment_is_unset(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.setenv(name, "")

    client = backend.client_class(base_url="")

    assert client.api_key is None
    assert client.auth_token is None
    assert client.base_url == "https://api.anthropic.com/"


@pytest.mark.parametrize("given", [{"api_key": "mine"}, {"auth_token": "mine"}])
async def test_an_explicit_credential_switches_off_the_environment(
    backend: Backend, given: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """This applies to copies as well."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "ambient")
    client = backend.client_class(**given)

    for one in (
        client,
        client.copy(),
        client.with_options(timeout=1),
        client.messages.with_options()._client,
    ):
        assert set(one.auth_headers.values()) <= {"mine", "Bearer mine"}
        assert len(one.auth_headers) == 1


async def test_credentials_become_headers(backend: Backend) -> None:
    assert backend.client_class(api_key="k").auth_headers == {"X-Api-Key": "k"}
    assert backend.client_class(auth_token="t").auth_headers == {"Authorization": "Bearer t"}
    assert backend.client_class(api_key="k", auth_token="t").auth_headers == {
        "X-Api-Key": "k",
        "Authorization": "Bearer t",
    }


async def test_no_credentials_fail_at_first_request(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    client, api = backend.scripted(reply(json={}))

    with pytest.raises(TypeError) as caught:
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert (
        "Could not resolve authentication method. Expected either api_key or auth_token to be set. Or for "
        "one of the `X-Api-Key` or `Authorization` headers to be explicitly omitted"
    ) in str(caught.value)
    assert api.requests == []


@pytest.mark.parametrize(
    ("settings", "headers"),
    [
        ({}, {"X-Api-Key": omit}),
        ({}, {"authorization": omit}),
        ({"default_headers": {"x-api-key": omit}}, {}),
        ({"default_headers": {"AUTHORIZATION": omit}}, {}),
        ({"default_headers": {"x-api-key": "k"}}, {}),
        ({}, {"authorization": "Basic x"}),
    ],
)
async def test_ways_to_do_without_credentials(
    backend: Backend, settings: Any, headers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For the client or for the call, in any case."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    client, api = backend.scripted(reply(json={}), **settings)

    await settle(client.get("/foo", cast_to=httpx.Response, options={"headers": headers}))

    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://h", "https://h/"),
        ("https://h/", "https://h/"),
        ("https://h/v1", "https://h/v1/"),
        (httpx.URL("https://h/v1"), "https://h/v1/"),
        ("https://h/p?x=1", "https://h/p/?x=1"),
    ],
)
async def test_base_url_ends_in_a_slash(backend: Backend, given: Any, kept: str) -> None:
    """From the constructor, the setter and a copy."""
    client = backend.client_class(base_url=given)
    assert client.base_url == kept
    assert client.copy().base_url == kept
    assert client._base_url == kept

    other = backend.client_class()
    other.base_url = given
    assert other.base_url == kept
    assert other.copy(base_url="https://elsewhere").base_url == "https://elsewhere/"


async def test_max_retries(backend: Backend) -> None:
    assert backend.client_class().max_retries == 2
    assert backend.client_class(max_retries=math.inf).max_retries == math.inf
    with pytest.raises(TypeError, match=r"^max_retries cannot be None"):
        backend.client_class(max_retries=None)
    with pytest.raises(ValueError, match="0 or more"):
        backend.client_class(max_retries=-1)
    with pytest.raises(TypeError, match=r"^max_retries cannot be None"):
        await settle(
            backend.client_class().get("/foo", cast_to=httpx.Response, options={"max_retries": None})
        )


async def test_invalid_timeouts(backend: Backend) -> None:
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        backend.client_class(timeout="10")
    with pytest.raises(ValueError, match="timeout must be 0 or more seconds, not -1"):
        backend.client_class().timeout = -1
    client, _ = backend.scripted()
    with pytest.raises(ValueError, match="timeout must be 0 or more"):
        await settle(client.get("/foo", cast_to=object, options={"timeout": -1}))


async def test_timeout(backend: Backend) -> None:
    """Not given, None, a number, a Timeout, and the timeout of an HTTP client."""
    make, http = backend.client_class, httpx.AsyncClient if backend.is_async else httpx.Client

    assert make().timeout == DEFAULT_TIMEOUT == httpx.Timeout(600, connect=5.0)
    assert make(timeout=None).timeout is None
    assert make(timeout=3).timeout == 3
    assert make(http_client=http()).timeout == DEFAULT_TIMEOUT
    assert make(http_client=http(timeout=None)).timeout == httpx.Timeout(None)
    assert make(http_client=http(timeout=7)).timeout == httpx.Timeout(7)
    assert make(http_client=http(timeout=7), timeout=8).timeout == 8
    assert make(http_client=http(timeout=7), timeout=None).timeout is None


@pytest.mark.parametrize("wrong", [object(), "client", httpx.Client])
async def test_the_wrong_kind_of_http_client(backend: Backend, wrong: object) -> None:
    expected = "httpx.AsyncClient" if backend.is_async else "httpx.Client"
    with pytest.raises(TypeError, match="Invalid `http_client` argument") as caught:
        backend.client_class(http_client=wrong)

    assert expected in str(caught.value)
    assert str(type(wrong)) in str(caught.value)


async def test_the_http_client_of_the_other_client(backend: Backend) -> None:
    with pytest.raises(TypeError, match="Invalid `http_client` argument"):
        backend.client_class(http_client=httpx.Client() if backend.is_async else httpx.AsyncClient())


async def test_public_attributes(backend: Backend) -> None:
    client = backend.client_class(
        api_key="k", default_query={"a": 1}, default_headers={"X-A": "1", "X-B": omit}
    )

    assert client.default_query == {"a": 1}
    assert client.default_headers["X-A"] == "1"
    assert client.default_headers["X-Api-Key"] == "k"
    assert "X-B" not in client.default_headers
    assert client.custom_auth is None
    assert client.user_agent.endswith(headrace_client.__version__)
    assert client.qs.stringify({"a": [1, 2]}) == "a=1%2C2"
    assert client.platform_headers()["X-Stainless-Lang"] == "python"
    assert client._version == headrace_client.__version__
    assert client._strict_response_validation is False
    assert client._idempotency_header is None
    assert client.messages is client.messages
    assert isinstance(client, BaseClient)


def test_aliases() -> None:
    assert headrace_client.Client is Anthropic
    assert headrace_client.AsyncClient is AsyncAnthropic
    assert headrace_client.Timeout is httpx.Timeout
    assert not headrace_client.not_given
    assert repr(headrace_client.NOT_GIVEN) == "NOT_GIVEN"


async def test_max_retries_can_be_set(backend: Backend) -> None:
    client, api = backend.scripted(reply(500), reply(json={}))
    client.max_retries = 0

    with pytest.raises(headrace_client.InternalServerError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert len(api.requests) == 1
