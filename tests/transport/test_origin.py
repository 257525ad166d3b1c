"""Origins and header fields."""

from __future__ import annotations

import pytest

from headrace_client.transport import Headers, Origin


@pytest.mark.parametrize(
    ("url", "origin", "authority"),
    [
        ("https://api.anthropic.com", Origin("https", "api.anthropic.com", 443), "api.anthropic.com"),
        ("HTTP://LocalHost:8000/v1?x=y", Origin("http", "localhost", 8000), "localhost:8000"),
        ("http://[::1]:80/", Origin("http", "::1", 80), "[::1]"),
        ("https://bücher.test", Origin("https", "xn--bcher-kva.test", 443), "xn--bcher-kva.test"),
    ],
)
def test_an_origin_is_read_from_a_url(url: str, origin: Origin, authority: str) -> None:
    assert Origin.parse(url) == origin
    assert origin.authority == authority


@pytest.mark.parametrize(
    "url", ["ftp://a", "api.anthropic.com", "https://", "//a", "http://a:99999", "http://..ä"]
)
def test_a_url_without_an_origin_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|host|[Pp]ort"):
        Origin.parse(url)


def test_a_password_in_a_url_is_not_shown() -> None:
    with pytest.raises(ValueError, match="must begin with http") as refused:
        Origin.parse("ftp://user:s3cret@host/")

    assert "s3cret" not in str(refused.value)


def test_headers_are_found_in_any_case_and_joined() -> None:
    headers = Headers.parse(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a:  2 \r\nX-B: b:c\r\n\r\n")

    assert dict(headers) == {"x-a": "1, 2", "x-b": "b:c"}
    assert (headers["X-a"], "X-B" in headers, headers.get("x-c"), len(headers)) == ("1, 2", True, None, 2)
    assert headers.raw == ((b"X-A", b"1"), (b"x-a", b"2"), (b"X-B", b"b:c"))
