"""The default HTTP clients: their defaults, proxies, socket options, and the transport on each event loop."""

from __future__ import annotations

import gc
import socket
import sys
import weakref
from typing import Any

import httpx
import pytest

from headrace_client import (
    DEFAULT_TIMEOUT,
    AsyncAnthropic,
    DefaultAioHttpClient,
    DefaultAsyncHttpxClient,
    DefaultHttpxClient,
)
from headrace_client._httpx.clients import (
    LibraryTransport,
    OwnAsyncHttpxClient,
    keepalive_options,
    shared_tls_context,
)
from headrace_client._httpx.proxies import proxy_patterns
from headrace_client._httpx.transport import HttpxTransport
from headrace_client.testing import reply
from tests.client.backends import ASYNC_ONLY, Backend, settle

pytestmark = pytest.mark.anyio

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(params=[DefaultHttpxClient, DefaultAsyncHttpxClient])
def default_client(request: pytest.FixtureRequest) -> Any:
    return request.param


def pool_of(transport: Any) -> Any:
    """Return httpcore's pool below a transport, which keeps its arguments."""
    if hasattr(transport, "_make"):
        transport = transport._make("asyncio")
    return transport._pool


def transport_of(client: Any) -> Any:
    return client._client._transport


def test_defaults(default_client: Any) -> None:
    client = default_client()
    pool = pool_of(client._transport)

    assert isinstance(client, httpx.Client | httpx.AsyncClient)
    assert client.timeout == DEFAULT_TIMEOUT
    assert client.follow_redirects is True
    assert pool._max_connections == 1000
    assert pool._max_keepalive_connections == 100
    assert pool._keepalive_expiry == 5.0
    assert pool._socket_options == keepalive_options()
    assert pool._ssl_context is shared_tls_context()


def test_defaults_can_be_changed(default_client: Any) -> None:
    client = default_client(
        timeout=3,
        follow_redirects=False,
        verify=False,
        http2=True,
        trust_env=True,
        limits=httpx.Limits(max_connections=7, max_keepalive_connections=2),
        headers={"x-a": "1"},
    )
    pool = pool_of(client._transport)

    assert client.timeout == httpx.Timeout(3)
    assert client.follow_redirects is False
    assert client.headers["x-a"] == "1"
    assert (pool._max_connections, pool._max_keepalive_connections) == (7, 2)
    assert pool._http2 is True
    assert pool._ssl_context is not shared_tls_context()
    assert pool._ssl_context.check_hostname is False


def test_http2_has_a_tls_context_of_its_own(default_client: Any) -> None:
    assert pool_of(default_client(http2=True)._transport)._ssl_context is not shared_tls_context()


def test_keepalive_options() -> None:
    options = {(level, option): value for level, option, value in keepalive_options()}

    assert options[socket.SOL_SOCKET, socket.SO_KEEPALIVE] is True
    assert options[socket.IPPROTO_TCP, socket.TCP_KEEPINTVL] == 60
    assert options[socket.IPPROTO_TCP, socket.TCP_KEEPCNT] == 5
    idle = socket.TCP_KEEPALIVE if sys.platform == "darwin" else socket.TCP_KEEPIDLE
    assert options[socket.IPPROTO_TCP, idle] == 60


def test_a_transport_of_the_caller(default_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is used as it is, and proxies of the environment do not bypass it."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
    transport = httpx.MockTransport(lambda _: httpx.Response(200))

    client = default_client(transport=transport)

    assert client._transport is transport
    assert client._mounts == {}


def test_proxies_of_the_environment(default_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy is one mount, with keep-alive."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")

    mounts = list(default_client()._mounts.items())

    assert [pattern.pattern for pattern, _ in mounts] == ["https://"]
    assert mounts[0][1]._pool._proxy_url.host == b"proxy.test"
    assert mounts[0][1]._pool._socket_options == keepalive_options()


def test_the_mounts_of_the_caller_win(default_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")
    mine = httpx.MockTransport(lambda _: httpx.Response(200))

    mounts = default_client(mounts={"https://": mine})._mounts

    assert list(mounts.values()) == [mine]


def test_a_proxy_of_the_caller(default_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wins over the environment, and has keep-alive."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")

    client = default_client(proxy="http://mine.test")

    assert client._mounts == {}
    assert pool_of(client._transport)._proxy_url.host == b"mine.test"
    assert pool_of(client._transport)._socket_options == keepalive_options()


def test_the_environment_can_be_ignored(default_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test")

    assert default_client(trust_env=False)._mounts == {}


@pytest.mark.parametrize(
    ("hosts", "pattern"),
    [
        ("10.0.0.1", "all://10.0.0.1"),
        ("::1", "all://[::1]"),
        ("[::1]", "all://[::1]"),
        ("localhost", "all://localhost"),
        ("example.com", "all://*example.com"),
        (".example.com", "all://*.example.com"),
        ("http://only.test", "http://only.test"),
    ],
)
def test_hosts_without_a_proxy(hosts: str, pattern: str) -> None:
    patterns = proxy_patterns({"https": "proxy.test:80", "no": f" {hosts} ,"})

    assert patterns == {"https://": "http://proxy.test:80", pattern: None}


def test_no_host_has_a_proxy() -> None:
    assert proxy_patterns({"https": "http://p", "all": "http://p", "no": "a.test,*"}) == {}


def test_the_order_of_schemes() -> None:
    proxies = {"all": "socks5://a", "http": "http://h", "https": "http://s", "ftp": "http://f"}

    assert list(proxy_patterns(proxies)) == ["http://", "https://", "all://"]


@ASYNC_ONLY
async def test_the_transport_is_chosen_at_the_first_request(backend: Backend) -> None:
    """headrace's on trio, httpx's on asyncio."""
    async with AsyncAnthropic(base_url="http://127.0.0.1:1", max_retries=0) as client:
        transport = transport_of(client)
        assert transport.__class__ is LibraryTransport
        assert transport._transport is None

        picked = transport.chosen()

    assert isinstance(picked, HttpxTransport if backend.name == "trio" else httpx.AsyncHTTPTransport)


@ASYNC_ONLY
@pytest.mark.parametrize(
    "settings", [{"verify": False}, {"http2": True}, {"proxy": "http://p.test"}, {"trust_env": False}]
)
async def test_special_settings_use_httpxs_transport_on_trio_too(backend: Backend, settings: Any) -> None:
    client: Any = DefaultAsyncHttpxClient(**settings)
    async with client:
        assert isinstance(client._transport.chosen(), httpx.AsyncHTTPTransport)


@ASYNC_ONLY
async def test_a_second_event_loop_is_rejected(backend: Backend) -> None:
    """The error says what to do; it is neither retried nor wrapped."""
    client = AsyncAnthropic()
    client.clock = backend.clock
    transport = transport_of(client)
    transport.library, transport._transport = "another", httpx.MockTransport(lambda _: httpx.Response(200))

    with pytest.raises(RuntimeError, match=f"under another, so it cannot be used under {backend.name}"):
        await settle(client.get("/foo", cast_to=httpx.Response))

    await client.close()
    assert backend.clock.sleeps == []


async def test_an_http_client_may_build_requests_its_own_way(backend: Backend) -> None:
    """Built requests are cached only if httpx builds them."""
    client, api = backend.scripted(reply(json={}), reply(json={}))
    http_client = client._client
    build = http_client.build_request

    def build_request(*args: Any, **kwargs: Any) -> httpx.Request:
        request = build(*args, **kwargs)
        request.headers["x-number"] = str(len(api.requests))
        return request

    http_client.build_request = build_request
    for _ in range(2):
        await settle(client.post("/foo", cast_to=object, body={}))

    assert [request.headers["x-number"] for request in api.requests] == ["0", "1"]


def test_a_proxy_of_the_environment_that_cannot_be_used_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No warning about an exception in ``__del__``, which would fail the test."""
    monkeypatch.setenv("HTTPS_PROXY", "http://\udcff:1")

    with pytest.raises(httpx.InvalidURL):
        OwnAsyncHttpxClient()
    gc.collect()


@ASYNC_ONLY
async def test_nothing_of_a_call_waits_for_the_garbage_collector(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json={}))
    response = await settle(client.get("/foo", cast_to=httpx.Response))
    alive = weakref.ref(response)
    gc.disable()
    try:
        del response

        assert alive() is None
    finally:
        gc.enable()


def test_the_aiohttp_client() -> None:
    client = DefaultAioHttpClient(headers={"x-a": "1"})

    assert client.timeout == DEFAULT_TIMEOUT
    assert client.follow_redirects is True
    assert client.headers["x-a"] == "1"
    assert AsyncAnthropic(http_client=client).timeout == DEFAULT_TIMEOUT


def test_the_aiohttp_client_without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "headrace_client._httpx.aiohttp", None)

    with pytest.raises(RuntimeError, match="installed the package with the `aiohttp` extra"):
        DefaultAioHttpClient()
