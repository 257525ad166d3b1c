"""The flow follows redirects within one origin."""

from __future__ import annotations

import io
from typing import Any

import httpx
import pytest

from headrace_client import APIError, APIRedirectError, APIStatusError
from headrace_client._base_client.redirect import same_origin
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio


def to(location: str, status: int = 302) -> Any:
    return reply(status, headers={"location": location})


@pytest.mark.parametrize("status", [301, 302, 303])
async def test_a_post_becomes_a_get(backend: Backend, status: int) -> None:
    client, api = backend.scripted(to("/bar?x=1", status), reply(json={"ok": 1}), default_query={"q": 1})

    response = await settle(client.post("/v1/foo", cast_to=httpx.Response, body={"a": 1}))

    assert response.json() == {"ok": 1}
    assert [str(request.url.raw_path, "ascii") for request in api.requests] == ["/v1/foo?q=1", "/bar?x=1"]
    assert api.requests[1].method == "GET"
    assert api.requests[1].content == b""
    assert api.requests[1].headers["x-api-key"] == client.api_key
    assert api.requests[1].headers["x-stainless-retry-count"] == "0"
    assert "content-type" not in api.requests[1].headers


@pytest.mark.parametrize("status", [307, 308])
async def test_method_and_body_are_kept(backend: Backend, status: int) -> None:
    client, api = backend.scripted(to("https://api.anthropic.com:443/bar", status), reply(json={}))

    await settle(client.post("/foo", cast_to=httpx.Response, body={"a": 1}))

    assert api.requests[1].method == "POST"
    assert api.requests[1].content == b'{"a":1}'


async def test_a_file_is_read_again_from_its_start(backend: Backend) -> None:
    client, api = backend.scripted(to("/bar", 307), reply(json={}))

    await settle(client.post("/foo", cast_to=httpx.Response, content=io.BytesIO(b"all of it")))

    assert [request.content for request in api.requests] == [b"all of it"] * 2


async def test_a_body_that_can_be_read_once_is_not_redirected(backend: Backend) -> None:
    client, api = backend.scripted(to("/bar", 307))

    with pytest.raises(APIRedirectError, match="read only once"):
        await settle(client.post("/foo", cast_to=httpx.Response, content=iter([b"all of it"])))

    assert [request.content for request in api.requests] == [b"all of it"]


async def test_a_body_that_can_be_read_once_is_not_needed_for_a_get(backend: Backend) -> None:
    client, api = backend.scripted(to("/bar", 303), reply(json={}))

    await settle(client.post("/foo", cast_to=httpx.Response, content=iter([b"all of it"])))

    assert [request.content for request in api.requests] == [b"all of it", b""]


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.test/",
        "//evil.test/x",
        "http://api.anthropic.com/",
        "https://api.anthropic.com:444/",
        "ftp://x",
        "https://[",
    ],
)
@pytest.mark.parametrize("status", [302, 307])
async def test_another_origin_gets_nothing(backend: Backend, status: int, location: str) -> None:
    """The error has neither the key nor the body."""
    client, api = backend.scripted(to(location, status))

    with pytest.raises(APIRedirectError) as caught:
        await settle(client.post("/foo", cast_to=httpx.Response, body={"a": 1}))

    error = caught.value
    assert len(api.requests) == 1
    assert error.status_code == status
    assert error.location == location
    assert "x-api-key" not in error.request.headers
    assert error.request.content == b""
    assert backend.clock.sleeps == []


async def test_too_many_redirects(backend: Backend) -> None:
    client, api = backend.scripted(*[to("/foo")] * 21)

    with pytest.raises(APIRedirectError, match="20 redirects"):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert len(api.requests) == 21


async def test_redirects_can_be_turned_off(backend: Backend) -> None:
    client, api = backend.scripted(to("/bar"))

    with pytest.raises(APIStatusError) as caught:
        await settle(client.get("/foo", cast_to=httpx.Response, options={"follow_redirects": False}))

    assert caught.value.status_code == 302
    assert len(api.requests) == 1


async def test_a_plain_http_client_does_not_follow(backend: Backend) -> None:
    api = ScriptedAPI([to("/bar"), to("/bar"), reply(json={})])
    http_client = api.async_http_client() if backend.is_async else api.http_client()
    http_client.follow_redirects = False
    client = backend.client_class(http_client=http_client)

    with pytest.raises(APIStatusError):
        await settle(client.get("/foo", cast_to=httpx.Response))
    await settle(client.get("/foo", cast_to=httpx.Response, options={"follow_redirects": True}))

    assert len(api.requests) == 3


async def test_not_modified_is_an_error(backend: Backend) -> None:
    client, _ = backend.scripted(reply(304))

    with pytest.raises(APIStatusError):
        await settle(client.get("/foo", cast_to=httpx.Response))


async def test_a_redirect_within_retries(backend: Backend) -> None:
    client, api = backend.scripted(reply(500), to("/bar"), reply(503), reply(json={}))

    await settle(client.get("/foo", cast_to=httpx.Response))

    assert [request.url.path for request in api.requests] == ["/foo", "/foo", "/bar", "/bar"]
    assert [request.headers["x-stainless-retry-count"] for request in api.requests] == ["0", "1", "1", "2"]


def test_origins() -> None:
    assert same_origin("https://A.test/x", "https://a.test:443/y")
    assert not same_origin("https://a.test", "http://a.test")
    assert not same_origin("https://a.test", "https://b.a.test")
    assert not same_origin("nonsense", "nonsense")


@pytest.mark.parametrize("location", ["javascript:alert(1)", "data:text/plain,x", "http://["])
async def test_a_location_that_is_no_address_is_an_error_of_the_api(backend: Backend, location: str) -> None:
    client, _ = backend.scripted(to(location, 307), max_retries=0)

    with pytest.raises(APIError):
        await settle(client.post("/v1/foo", cast_to=httpx.Response, body={"a": 1}))
