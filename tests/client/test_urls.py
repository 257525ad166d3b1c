"""URLs: base URL, path and queries joined; path parameters and request targets encoded."""

from __future__ import annotations

import pytest

from headrace_client._requests.querystring import Querystring
from headrace_client._requests.urls import build_url, path_segment, request_target

COMMA = Querystring(array_format="comma")


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
    assert build_url(base, path, params, COMMA) == url


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
    assert path_segment(value, "model_id") == encoded


def test_path_parameters_that_would_address_another_path() -> None:
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
