"""Where requests go, and which headers and API key they carry: P21, P23, P24."""

from typing import Any

import pytest

from headrace._exceptions import RunRefused
from headrace.dialects import make_dialect
from headrace.policy.options import RequestOptions, ServerOptions
from headrace.run.endpoint import Endpoint, clean_key, parse_header, resolve_endpoint

DIALECT = make_dialect("anthropic", RequestOptions())


def resolve(*, key: str | None = "sk-1", **server: Any) -> Endpoint:
    return resolve_endpoint(DIALECT, ServerOptions(**server), key)


def test_the_dialect_names_the_server_unless_the_user_does() -> None:
    assert resolve().base_url == "https://api.anthropic.com"
    assert resolve(base_url="http://127.0.0.1:8787/v1/").base_url == "http://127.0.0.1:8787"


def test_the_key_travels_in_the_auth_header_and_nowhere_else() -> None:
    endpoint = resolve(key="sk-secret")

    assert [name for name, value in endpoint.headers.items() if "sk-secret" in value] == ["x-api-key"]
    assert endpoint.secrets == ("sk-secret",)
    assert "sk-secret" not in repr(endpoint)


def test_without_a_key_the_error_names_every_way_out() -> None:
    with pytest.raises(RunRefused, match=r"ANTHROPIC_API_KEY.*--api-key-file.*--no-auth"):
        resolve(key=None)


def test_no_auth_sends_no_key_even_if_there_is_one() -> None:
    endpoint = resolve(no_auth=True)

    assert not any("sk-1" in value for value in endpoint.headers.values())


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "[::1]:8", "sim.localhost"])
def test_a_key_may_cross_plain_http_to_this_machine(host: str) -> None:
    assert resolve(base_url=f"http://{host}").base_url == f"http://{host}"


def test_a_key_does_not_cross_plain_http_to_another_machine_unless_that_is_meant() -> None:
    with pytest.raises(RunRefused, match=r"plain text to vllm\.example"):
        resolve(base_url="http://vllm.example:8000")

    assert resolve(base_url="http://vllm.example:8000", insecure_http=True).headers
    assert resolve(base_url="http://vllm.example:8000", no_auth=True).headers


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x",
        "api.anthropic.com",
        "https://",
        "https://h/?a=1",
        "https://u:p@h",
        "http://h:x",
        "http://[::1",
    ],
)
def test_a_base_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RunRefused, match="the base URL"):
        resolve(base_url=url)


@pytest.mark.parametrize(
    "header",
    [
        "no colon",
        ": v",
        "a b: c",
        "X: a\r\nEvil: 1",
        "X: a\nb",
        "X: \x00",
        "X: é",
        "Host: h",
        "content-length: 1",
    ],
)
def test_a_header_that_is_none_or_not_the_users_is_refused(header: str) -> None:
    with pytest.raises(RunRefused, match="-H"):
        parse_header(header)


def test_a_users_header_that_looks_like_a_secret_is_kept_as_one() -> None:
    endpoint = resolve(headers=("api-key: azure-1", "X-Team: blue"))

    assert endpoint.headers["X-Team"] == "blue"
    assert set(endpoint.secrets) == {"azure-1", "sk-1"}


def test_a_key_loses_the_line_end_of_its_file_and_nothing_else() -> None:
    assert clean_key(" sk-1\n", "k.txt") == "sk-1"
    for text in ("", "\n", "sk 1", "sk-1\nsk-2", "schlüssel"):
        with pytest.raises(RunRefused, match=r"k\.txt"):
            clean_key(text, "k.txt")
