"""Whole requests: headers, URLs, queries."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from headrace_client import omit
from headrace_client._requests.options import FinalRequestOptions, not_given
from headrace_client.testing import reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio


def built(
    backend: Backend, method: str = "post", url: str = "/foo", *, settings: Any = None, **options: Any
) -> httpx.Request:
    client, _ = backend.scripted(**(settings or {}))
    return client._build_request(FinalRequestOptions(method=method, url=url, **options))


async def test_headers_of_every_request(backend: Backend) -> None:
    headers = built(backend, json_data={}).headers

    assert headers["accept"] == headers["content-type"] == "application/json"
    assert headers["anthropic-version"] == "2023-06-01"
    assert re.fullmatch(r"(Async)?Anthropic/Python [0-9.]+", headers["user-agent"])
    assert headers["x-stainless-lang"] == "python"
    assert headers["x-stainless-os"] in {"Linux", "MacOS", "Windows"}
    assert headers["x-stainless-runtime"] == "CPython"
    assert re.fullmatch(r"3\.\d+\.\d+\S*", headers["x-stainless-runtime-version"])
    assert {"x-stainless-arch", "x-stainless-package-version"} <= headers.keys()
    assert headers["x-stainless-async"] == (f"async:{backend.name}" if backend.is_async else "false")
    assert headers["x-stainless-retry-count"] == "0"
    assert headers["x-stainless-read-timeout"] == "600"
    assert "x-stainless-timeout" not in headers
    assert "idempotency-key" not in headers


async def test_get_has_neither_body_nor_content_type(backend: Backend) -> None:
    request = built(backend, "get", json_data={"a": 1})

    assert request.content == b""
    assert "content-type" not in request.headers
    assert "content-length" not in request.headers


@pytest.mark.parametrize(("timeout", "reported"), [(3, "3"), (2.5, "2.5"), (httpx.Timeout(9, read=4), "4")])
async def test_the_timeout_is_reported_to_the_server(backend: Backend, timeout: Any, reported: str) -> None:
    request = built(backend, timeout=timeout)

    assert request.headers["x-stainless-read-timeout"] == request.headers["x-stainless-timeout"] == reported
    assert request.extensions["timeout"] == httpx.Timeout(timeout).as_dict()


async def test_no_timeout(backend: Backend) -> None:
    request = built(backend, timeout=None)

    assert "x-stainless-read-timeout" not in request.headers
    assert set(request.extensions["timeout"].values()) == {None}


async def test_precedence_of_headers(backend: Backend) -> None:
    """Later layers win in any case, and nothing is sent twice."""
    settings = {
        "default_headers": {"user-agent": "mine", "X-One": "client", "x-two": "client", "X-API-KEY": "k2"}
    }
    headers = built(
        backend, settings=settings, headers={"x-one": "call", "X-Stainless-Retry-Count": "7"}
    ).headers

    assert headers.get_list("user-agent") == ["mine"]
    assert headers.get_list("x-one") == ["call"]
    assert headers.get_list("x-two") == ["client"]
    assert headers.get_list("x-api-key") == ["k2"]
    assert headers.get_list("x-stainless-retry-count") == ["7"]


async def test_omitted_headers(backend: Backend) -> None:
    """By the client or the call, in any case, also headers that httpx would add."""
    settings = {"default_headers": {"x-stainless-LANG": omit, "Accept-Encoding": omit}}
    headers = built(
        backend,
        settings=settings,
        headers={"ANTHROPIC-VERSION": omit, "User-Agent": omit, "Accept": not_given},
    ).headers

    assert not {"x-stainless-lang", "accept-encoding", "anthropic-version", "user-agent"} & headers.keys()
    assert headers["accept"] == "application/json"


@pytest.mark.parametrize(
    ("value", "problem"),
    [("a\nb", "CR, LF or NUL"), ("caf\u00e9", "outside ASCII"), (1, "must be a str, not int")],
)
async def test_a_header_that_cannot_be_sent(backend: Backend, value: Any, problem: str) -> None:
    """The error has its name but not its value, which may be a key."""
    client, api = backend.scripted(reply(json={}), default_headers={"X-Secret": value})

    with pytest.raises((TypeError, ValueError), match=f"'X-Secret' .*{problem}") as caught:
        await settle(client.get("/foo", cast_to=object))

    assert str(value) not in str(caught.value)
    assert api.requests == []


async def test_space_around_a_header_is_not_part_of_it(backend: Backend) -> None:
    """RFC 9110 section 5.5."""
    client, api = backend.scripted(reply(json={}), api_key=" key\t")

    await settle(client.get("/foo", cast_to=object))

    assert api.requests[0].headers["x-api-key"] == "key"


async def test_query_of_client_and_call(backend: Backend) -> None:
    """Arrays are joined with commas."""
    settings = {"default_query": {"a": 1, "b": 1}, "base_url": "https://h/v1"}
    request = built(backend, url="/foo?beta=true", settings=settings, params={"b": 2, "c": [1, True]})

    assert str(request.url) == "https://h/v1/foo?beta=true&a=1&b=2&c=1%2Ctrue"


async def test_host_with_an_underscore(backend: Backend) -> None:
    request = built(backend, settings={"base_url": "https://my_host.test:8443/p"})

    assert request.extensions["sni_hostname"] == "my-host.test"
    assert "sni_hostname" not in built(backend).extensions


async def test_credentials_stay_at_their_origin(backend: Backend) -> None:
    """A URL at another origin gets only the credentials of the call, not the client's."""
    settings = {"auth_token": "token", "api_key": "k", "default_headers": {"Cookie": "c", "X-Mine": "1"}}
    elsewhere = built(backend, "get", "https://other.test/file", settings=settings).headers

    assert not {"x-api-key", "authorization", "cookie"} & elsewhere.keys()
    assert elsewhere["x-mine"] == "1"
    given = built(
        backend, "get", "https://other.test/f", settings=settings, headers={"Authorization": "theirs"}
    )
    assert given.headers["authorization"] == "theirs"
    home = built(backend, "get", "https://api.anthropic.com:443/file", settings=settings).headers
    assert home["x-api-key"] == "k"
    assert home["authorization"] == "Bearer token"


async def test_idempotency_key_given_by_the_caller(backend: Backend) -> None:
    """It is sent for any method."""
    assert built(backend, idempotency_key="mine").headers["idempotency-key"] == "mine"


def test_options_can_be_made_as_in_the_reference_sdk() -> None:
    made = FinalRequestOptions.construct(method="get", url="/x", max_retries=3)

    assert made == FinalRequestOptions(method="get", url="/x", max_retries=3)
