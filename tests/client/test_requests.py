"""What goes over the wire: headers, URLs, queries."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

from headrace_client import omit
from headrace_client._requests.options import FinalRequestOptions, not_given
from headrace_client._requests.querystring import Querystring
from headrace_client._requests.request import (
    build_url,
    combine_headers,
    merge_headers,
    path_segment,
    request_target,
)
from headrace_client.testing import reply
from tests.client.faces import Face, settle

pytestmark = pytest.mark.anyio

COMMA = Querystring(array_format="comma")


def built(
    face: Face, method: str = "post", url: str = "/foo", *, settings: Any = None, **options: Any
) -> httpx.Request:
    client, _ = face.scripted(**(settings or {}))
    return client._build_request(FinalRequestOptions(method=method, url=url, **options))


async def test_headers_of_every_request(face: Face) -> None:
    """Items 22, 23 and 24."""
    headers = built(face, json_data={}).headers

    assert headers["accept"] == headers["content-type"] == "application/json"
    assert headers["anthropic-version"] == "2023-06-01"
    assert re.fullmatch(r"(Async)?Anthropic/Python [0-9.]+", headers["user-agent"])
    assert headers["x-stainless-lang"] == "python"
    assert headers["x-stainless-os"] in {"Linux", "MacOS", "Windows"}
    assert headers["x-stainless-runtime"] == "CPython"
    assert re.fullmatch(r"3\.\d+\.\d+\S*", headers["x-stainless-runtime-version"])
    assert {"x-stainless-arch", "x-stainless-package-version"} <= headers.keys()
    assert headers["x-stainless-async"] == (f"async:{face.name}" if face.is_async else "false")
    assert headers["x-stainless-retry-count"] == "0"
    assert headers["x-stainless-read-timeout"] == "600"
    assert "x-stainless-timeout" not in headers
    assert "idempotency-key" not in headers


async def test_get_has_neither_body_nor_content_type(face: Face) -> None:
    """Items 22 and 44."""
    request = built(face, "get", json_data={"a": 1})

    assert request.content == b""
    assert "content-type" not in request.headers
    assert "content-length" not in request.headers


@pytest.mark.parametrize(("timeout", "told"), [(3, "3"), (2.5, "2.5"), (httpx.Timeout(9, read=4), "4")])
async def test_the_server_is_told_the_timeout(face: Face, timeout: Any, told: str) -> None:
    """Item 24 and 48."""
    request = built(face, timeout=timeout)

    assert request.headers["x-stainless-read-timeout"] == request.headers["x-stainless-timeout"] == told
    assert request.extensions["timeout"] == httpx.Timeout(timeout).as_dict()


async def test_no_timeout(face: Face) -> None:
    request = built(face, timeout=None)

    assert "x-stainless-read-timeout" not in request.headers
    assert set(request.extensions["timeout"].values()) == {None}


async def test_precedence_of_headers(face: Face) -> None:
    """Items 26 and 28: later layers win in any spelling, and nothing is sent twice."""
    settings = {
        "default_headers": {"user-agent": "mine", "X-One": "client", "x-two": "client", "X-API-KEY": "k2"}
    }
    headers = built(
        face, settings=settings, headers={"x-one": "call", "X-Stainless-Retry-Count": "7"}
    ).headers

    assert headers.get_list("user-agent") == ["mine"]
    assert headers.get_list("x-one") == ["call"]
    assert headers.get_list("x-two") == ["client"]
    assert headers.get_list("x-api-key") == ["k2"]
    assert headers.get_list("x-stainless-retry-count") == ["7"]


async def test_headers_taken_away(face: Face) -> None:
    """Item 27: at both levels, in any spelling, also those that httpx would add."""
    settings = {"default_headers": {"x-stainless-LANG": omit, "Accept-Encoding": omit}}
    headers = built(
        face, settings=settings, headers={"ANTHROPIC-VERSION": omit, "User-Agent": omit, "Accept": not_given}
    ).headers

    assert not {"x-stainless-lang", "accept-encoding", "anthropic-version", "user-agent"} & headers.keys()
    assert headers["accept"] == "application/json"


def test_merging_layers() -> None:
    merged = merge_headers({"A": "1", "B": "1"}, {"a": "2", "b": omit}, {"A": not_given})

    assert merged.sent == {"a": "2"}
    assert merged.omitted == {"b"}
    assert merge_headers({"A": omit}, {"a": "1"}).omitted == frozenset()


@pytest.mark.parametrize(
    ("value", "problem"),
    [("a\nb", "CR, LF or NUL"), ("caf\u00e9", "outside ASCII"), (1, "must be a str, not int")],
)
async def test_a_header_that_cannot_be_sent(face: Face, value: Any, problem: str) -> None:
    """Its name is told, but not its value, which may be a key."""
    client, api = face.scripted(reply(json={}), default_headers={"X-Secret": value})

    with pytest.raises((TypeError, ValueError), match=f"'X-Secret' .*{problem}") as caught:
        await settle(client.get("/foo", cast_to=object))

    assert str(value) not in str(caught.value)
    assert api.requests == []


async def test_space_around_a_header_is_not_part_of_it(face: Face) -> None:
    """RFC 9110 section 5.5."""
    client, api = face.scripted(reply(json={}), api_key=" key\t")

    await settle(client.get("/foo", cast_to=object))

    assert api.requests[0].headers["x-api-key"] == "key"


def test_combining_layers_for_a_copy() -> None:
    assert combine_headers({"A": "1", "B": "1"}, {"a": omit}) == {"B": "1", "a": omit}


@pytest.mark.parametrize(
    ("base", "path", "params", "url"),
    [
        ("https://h/", "/foo", {}, "https://h/foo"),
        ("https://h/", "foo", {}, "https://h/foo"),
        ("https://h/p/q/", "/foo", {}, "https://h/p/q/foo"),
        ("https://h/p/", "", {}, "https://h/p/"),
        ("https://h/p/?x=1", "/foo", {}, "https://h/p/foo?x=1"),
        ("https://h/", "https://other/foo", {}, "https://other/foo"),
        ("https://h/?x=1", "https://other/foo?y=2", {"z": 3}, "https://other/foo?y=2&z=3"),
        ("https://h/", "/v1/messages?beta=true", {"a": "b"}, "https://h/v1/messages?beta=true&a=b"),
        ("https://h/", "/v1/messages?beta=true", {"beta": False}, "https://h/v1/messages?beta=false"),
        ("https://h/", "/foo?a=1&a=2&b=%2C", {"c": [1, 2]}, "https://h/foo?a=1&a=2&b=%2C&c=1%2C2"),
        ("https://h/", "/foo", {"a": {"b": None, "c": ""}}, "https://h/foo?a%5Bc%5D="),
        ("https://h/", "/a:b/c", {}, "https://h/a:b/c"),
    ],
)
def test_urls(base: str, path: str, params: dict[str, object], url: str) -> None:
    """Items 31, 34, 35 and 36."""
    assert build_url(base, path, params, COMMA) == url


async def test_query_of_client_and_call(face: Face) -> None:
    """Item 33, 34 and 35 on the wire: arrays are joined with commas."""
    settings = {"default_query": {"a": 1, "b": 1}, "base_url": "https://h/v1"}
    request = built(face, url="/foo?beta=true", settings=settings, params={"b": 2, "c": [1, True]})

    assert str(request.url) == "https://h/v1/foo?beta=true&a=1&b=2&c=1%2Ctrue"


async def test_host_with_an_underscore(face: Face) -> None:
    """Item 32."""
    request = built(face, settings={"base_url": "https://my_host.test:8443/p"})

    assert request.extensions["sni_hostname"] == "my-host.test"
    assert "sni_hostname" not in built(face).extensions


@pytest.mark.parametrize(
    ("value", "encoded"),
    [
        ("claude-x", "claude-x"),
        ("a/b c", "a%2Fb%20c"),
        ("a;x?y#z%", "a%3Bx%3Fy%23z%25"),
        ("...", "..."),
        ("é", "%C3%A9"),
    ],
)
def test_path_parameters_are_encoded(value: str, encoded: str) -> None:
    """Item 37."""
    assert path_segment(value, "model_id") == encoded


def test_path_parameters_that_name_another_path() -> None:
    """Item 37."""
    with pytest.raises(ValueError, match="Expected a non-empty value for `model_id` but received ''"):
        path_segment("", "model_id")
    for value in (".", ".."):
        with pytest.raises(ValueError, match="model_id"):
            path_segment(value, "model_id")


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h", "/"),
        ("https://h/a b/é?q=a b#f", "/a%20b/%C3%A9?q=a%20b"),
        ("https://h/v1/x%2Fy?beta=true", "/v1/x%2Fy?beta=true"),
        ("https://h/a\r\nb", "/ab"),
    ],
)
def test_request_targets(url: str, target: str) -> None:
    assert request_target(url) == target


async def test_credentials_stay_at_their_origin(face: Face) -> None:
    """Item 21: an absolute URL elsewhere gets none of the client's credentials, only the call's own."""
    settings = {"auth_token": "token", "api_key": "k", "default_headers": {"Cookie": "c", "X-Mine": "1"}}
    elsewhere = built(face, "get", "https://other.test/file", settings=settings).headers

    assert not {"x-api-key", "authorization", "cookie"} & elsewhere.keys()
    assert elsewhere["x-mine"] == "1"
    given = built(face, "get", "https://other.test/f", settings=settings, headers={"Authorization": "theirs"})
    assert given.headers["authorization"] == "theirs"
    home = built(face, "get", "https://api.anthropic.com:443/file", settings=settings).headers
    assert home["x-api-key"] == "k"
    assert home["authorization"] == "Bearer token"


async def test_idempotency_key_given_by_the_caller(face: Face) -> None:
    """Item 30 (B): what is offered is sent."""
    assert built(face, idempotency_key="mine").headers["idempotency-key"] == "mine"


def test_options_can_be_made_as_the_reference_makes_them() -> None:
    made = FinalRequestOptions.construct(method="get", url="/x", max_retries=3)

    assert made == FinalRequestOptions(method="get", url="/x", max_retries=3)
