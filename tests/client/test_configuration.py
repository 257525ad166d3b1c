"""How a client is made, what its settings are, and how copies differ."""

from __future__ import annotations

import inspect
import math
from typing import Any

import httpx
import pytest

import headrace_client
from headrace_client import DEFAULT_TIMEOUT, Anthropic, AsyncAnthropic, omit
from headrace_client._base_client.base import BaseClient
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import Backend, settle
from tests.client.conftest import CANARY

pytestmark = pytest.mark.anyio


def test_everything_is_a_keyword() -> None:
    """Items 1 and 2."""
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
    """Item 3."""
    monkeypatch.setenv("ANTHROPIC_AUTH_TOKEN", "token")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "https://env.test/v9")

    client = backend.client_class()

    assert client.api_key == CANARY
    assert client.auth_token == "token"
    assert client.base_url == "https://env.test/v9/"


async def test_empty_environment_is_unset(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items 8 and 9 (B)."""
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
    """Item 18 (B): for copies too."""
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


async def test_a_copy_of_a_client_without_credentials_has_none(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Item 18 (B)."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    client = backend.client_class()
    monkeypatch.setenv("ANTHROPIC_API_KEY", "late")

    assert client.copy().api_key is None


async def test_credentials_become_headers(backend: Backend) -> None:
    """Item 17."""
    assert backend.client_class(api_key="k").auth_headers == {"X-Api-Key": "k"}
    assert backend.client_class(auth_token="t").auth_headers == {"Authorization": "Bearer t"}
    assert backend.client_class(api_key="k", auth_token="t").auth_headers == {
        "X-Api-Key": "k",
        "Authorization": "Bearer t",
    }


async def test_no_credentials_fail_at_first_request(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items 4 and 19."""
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
    """Items 19 and 20 (B): by the client or the call, in any spelling."""
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
    """Items 7 and 8: from the constructor, the setter and a copy."""
    client = backend.client_class(base_url=given)
    assert client.base_url == kept
    assert client.copy().base_url == kept
    assert client._base_url == kept

    other = backend.client_class()
    other.base_url = given
    assert other.base_url == kept
    assert other.copy(base_url="https://elsewhere").base_url == "https://elsewhere/"


async def test_max_retries(backend: Backend) -> None:
    """Items 5 and 6."""
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


async def test_what_is_no_timeout(backend: Backend) -> None:
    with pytest.raises(TypeError, match="timeout must be a number of seconds"):
        backend.client_class(timeout="10")
    with pytest.raises(ValueError, match="timeout must be 0 or more seconds, not -1"):
        backend.client_class().timeout = -1
    client, _ = backend.scripted()
    with pytest.raises(ValueError, match="timeout must be 0 or more"):
        await settle(client.get("/foo", cast_to=object, options={"timeout": -1}))


async def test_timeout(backend: Backend) -> None:
    """Items 10, 11, 48 and D2, D3: not given, None, a number, a Timeout, and that of an HTTP client."""
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
    """Item 12."""
    expected = "httpx.AsyncClient" if backend.is_async else "httpx.Client"
    with pytest.raises(TypeError, match="Invalid `http_client` argument") as caught:
        backend.client_class(http_client=wrong)

    assert expected in str(caught.value)
    assert str(type(wrong)) in str(caught.value)


async def test_the_other_face_s_http_client(backend: Backend) -> None:
    """Item 12."""
    with pytest.raises(TypeError, match="Invalid `http_client` argument"):
        backend.client_class(http_client=httpx.Client() if backend.is_async else httpx.AsyncClient())


async def test_public_attributes(backend: Backend) -> None:
    """Items 13, 14 and 15."""
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
    """Item 16 and D11."""
    assert headrace_client.Client is Anthropic
    assert headrace_client.AsyncClient is AsyncAnthropic
    assert headrace_client.Timeout is httpx.Timeout
    assert not headrace_client.not_given
    assert repr(headrace_client.NOT_GIVEN) == "NOT_GIVEN"


async def test_copy_takes_every_parameter_of_the_constructor(backend: Backend) -> None:
    """Item 61."""
    cls = Anthropic if backend.name == "sync" else AsyncAnthropic
    parameters = inspect.signature(cls).parameters.keys() - {"_strict_response_validation"}

    assert parameters <= inspect.signature(cls.copy).parameters.keys()
    assert cls.with_options is cls.copy


async def test_a_copy_keeps_what_is_not_changed(backend: Backend) -> None:
    """Items 61, 63 and 64."""
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


async def test_a_copy_changes_what_it_is_told(backend: Backend) -> None:
    """Items 61, 63, 64 and D1."""
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
    """Items 62 and 28: merged without regard to case, or replaced, never both."""
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
    """Item 65 and D1."""
    api = ScriptedAPI([reply(500), reply(json={"input_tokens": 1})])
    client = backend.connect(api, max_retries=0)

    messages = client.messages.with_options(timeout=120.0, headers={"X-Request-ID": "abc"}, max_retries=5)
    await settle(messages.count_tokens(model="m", messages=[]))

    assert [request.headers["x-request-id"] for request in api.requests] == ["abc", "abc"]
    assert api.requests[0].extensions["timeout"]["read"] == 120.0
    assert len(backend.clock.sleeps) == 1  # the copy has the client's clock
    assert type(messages) is type(client.messages)


async def test_retries_may_be_set_anew(backend: Backend) -> None:
    client, api = backend.scripted(reply(500), reply(json={}))
    client.max_retries = 0

    with pytest.raises(headrace_client.InternalServerError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert len(api.requests) == 1
