"""The HTTP clients over real sockets on this machine."""

from __future__ import annotations

import threading
from ast import literal_eval
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest

from headrace_client import (
    Anthropic,
    APIConnectionError,
    APITimeoutError,
    AsyncAnthropic,
    DefaultAioHttpClient,
    InternalServerError,
    omit,
)
from tests.client.backends import settle
from tests.client.http_server import QuietHandler, http_server

pytestmark = pytest.mark.anyio


class Handler(QuietHandler):
    """Echoes bodies; special paths misbehave."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        body = self.body()
        if self.path == "/cut":
            self._answer(200, body, length=len(body) + 9)
            self.close_connection = True
        elif self.path == "/garbage":
            self.wfile.write(b"garbage\r\n\r\n")
            self.close_connection = True
        elif self.path == "/hang-up":
            self.close_connection = True
        elif self.path == "/silent":
            self.released.wait(10)
            self.close_connection = True
        else:
            self._answer(500 if self.path == "/fail" else 200, body)

    def _answer(self, status: int, body: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.send_header("x-path", self.path)
        self.send_header(
            "x-request-headers", repr([(name.lower(), value) for name, value in self.headers.items()])
        )
        if self.path == "/cookie":
            self.send_header("set-cookie", "a=1; path=/")
        self.send_header("x-peer", str(self.client_address[1]))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[str]:
    """The base URL of a server on this machine."""
    Handler.released.clear()
    with http_server(Handler) as url:
        yield url
        Handler.released.set()


def aiohttp_client(**settings: Any) -> AsyncAnthropic:
    return AsyncAnthropic(http_client=DefaultAioHttpClient(), **settings)


CLIENTS = {
    "sync": ("asyncio", Anthropic),
    "asyncio": ("asyncio", AsyncAnthropic),
    "trio": ("trio", AsyncAnthropic),
    "aiohttp": ("asyncio", aiohttp_client),
}


@pytest.fixture(params=CLIENTS)
def make(request: pytest.FixtureRequest) -> Callable[..., Any]:
    return CLIENTS[request.param][1]


@pytest.fixture
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """The event loop of the client; real sockets need real time."""
    return CLIENTS[request.node.callspec.params["make"]][0]


def received_headers(response: httpx.Response) -> httpx.Headers:
    """Return the headers of the request as the server received them."""
    return httpx.Headers(literal_eval(response.headers["x-request-headers"]))


async def test_exchanges_share_a_connection(make: Any, server: str) -> None:
    client = make(base_url=server)
    peers: set[str] = set()
    for size in (3, 300_000, 0):
        body = b"x" * size
        response = await settle(client.post("/echo", cast_to=httpx.Response, content=body))
        assert response.content == body
        assert response.http_version == "HTTP/1.1"
        assert received_headers(response)["user-agent"] == client.user_agent
        peers.add(response.headers["x-peer"])
    with pytest.raises(InternalServerError):
        await settle(client.post("/fail", cast_to=httpx.Response, options={"max_retries": 0}))
    await settle(client.close())

    assert len(peers) == 1


async def test_bodies_of_unknown_length(make: Any, server: str) -> None:
    client = make(base_url=server)

    response = await settle(client.post("/echo", cast_to=httpx.Response, content=[b"a" * 10, b"", b"b"]))
    await settle(client.close())

    assert response.content == b"a" * 10 + b"b"


async def test_only_the_headers_of_the_client_are_sent(make: Any, server: str) -> None:
    """An HTTP library may not replace a header that the caller omits."""
    client = make(base_url=server)
    omitted = dict.fromkeys(("User-Agent", "Accept", "Accept-Encoding", "Content-Type"), omit)

    response = await settle(
        client.post("/echo", cast_to=httpx.Response, body={}, options={"headers": omitted})
    )
    await settle(client.close())

    assert not {name.lower() for name in omitted} & received_headers(response).keys()


async def test_cookies_are_kept_in_one_place(make: Any, server: str) -> None:
    client = make(base_url=server.replace("127.0.0.1", "localhost"))

    await settle(client.post("/cookie", cast_to=httpx.Response))
    kept = await settle(client.post("/echo", cast_to=httpx.Response))
    client._client.cookies.clear()
    cleared = await settle(client.post("/echo", cast_to=httpx.Response))
    await settle(client.close())

    assert received_headers(kept).get_list("cookie") == ["a=1"]
    assert "cookie" not in received_headers(cleared)


async def test_an_encoded_path_stays_encoded(make: Any, server: str) -> None:
    client = make(base_url=server)

    response = await settle(client.post("/a%2Fb%20c%3F?d=1%262", cast_to=httpx.Response))
    await settle(client.close())

    assert response.headers["x-path"] == "/a%2Fb%20c%3F?d=1%262"


@pytest.mark.parametrize("path", ["/hang-up", "/garbage"])
async def test_no_answer_is_not_a_timeout(make: Any, server: str, path: str) -> None:
    client = make(base_url=server, max_retries=0)

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post(path, cast_to=httpx.Response, content=b"x"))
    await settle(client.close())

    assert type(caught.value) is APIConnectionError
    assert isinstance(caught.value.__cause__, httpx.ReadError | httpx.RemoteProtocolError)


async def test_an_answer_that_is_cut_off(make: Any, server: str) -> None:
    client = make(base_url=server, max_retries=0)

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post("/cut", cast_to=httpx.Response, content=b"half"))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.TransportError)


async def test_a_silent_server(make: Any, server: str) -> None:
    """Every HTTP client reports a read timeout as such."""
    client = make(base_url=server, max_retries=0, timeout=0.05)

    with pytest.raises(APITimeoutError) as caught:
        await settle(client.post("/silent", cast_to=httpx.Response))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


async def test_a_refused_connection(make: Any) -> None:
    client = make(base_url="http://127.0.0.1:1", max_retries=0)

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post("/echo", cast_to=httpx.Response))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("make", ["trio"], indirect=True)
async def test_the_aiohttp_client_is_for_asyncio(make: Any) -> None:
    del make
    async with aiohttp_client() as client:
        with pytest.raises(RuntimeError, match="runs on asyncio only"):
            await client.post("/echo", cast_to=httpx.Response)


@pytest.mark.parametrize("make", ["aiohttp"], indirect=True)
async def test_the_aiohttp_client_through_a_proxy(make: Any, server: str) -> None:
    http_client = DefaultAioHttpClient(proxy=server)
    async with AsyncAnthropic(base_url="http://api.test", http_client=http_client) as client:
        response = await client.post("/echo", cast_to=httpx.Response, content=b"x")

    assert response.headers["x-path"] == "http://api.test/echo"


@pytest.mark.parametrize("make", ["aiohttp"], indirect=True)
async def test_a_refused_connection_to_a_proxy(make: Any) -> None:
    http_client = DefaultAioHttpClient(proxy="http://127.0.0.1:1")
    async with AsyncAnthropic(base_url="http://api.test", http_client=http_client, max_retries=0) as client:
        with pytest.raises(APIConnectionError) as caught:
            await client.post("/echo", cast_to=httpx.Response)

    assert isinstance(caught.value.__cause__, httpx.ProxyError)


@pytest.mark.parametrize("make", ["aiohttp"], indirect=True)
async def test_a_stream_that_is_left_early_frees_its_connection(make: Any, server: str) -> None:
    async with make(base_url=server) as client:
        http_client = client._client
        async with http_client.stream("POST", f"{server}/echo", content=b"x" * 300_000) as response:
            async for _ in response.aiter_raw(10):
                break
        with anyio.fail_after(5):
            whole = await http_client.post(f"{server}/echo", content=b"again")

    assert whole.content == b"again"
