"""The HTTP clients over real sockets on this machine: what scripts cannot show."""

from __future__ import annotations

import threading
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
)
from tests.client.backends import settle
from tests.client.http_server import QuietHandler, http_server

pytestmark = pytest.mark.anyio


class Handler(QuietHandler):
    """Echoes bodies; paths ask for other things."""

    protocol_version = "HTTP/1.1"
    released = threading.Event()

    def do_POST(self) -> None:
        body = self.body()
        if self.path == "/cut":
            self._answer(200, body, length=len(body) + 9)
            self.close_connection = True
        elif self.path == "/silent":
            self.released.wait(10)
            self.close_connection = True
        else:
            self._answer(500 if self.path == "/fail" else 200, body)

    def _answer(self, status: int, body: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(body) if length is None else length))
        self.send_header("x-user-agent", self.headers["user-agent"])
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
    """The event loop that goes with the client; real sockets want real time."""
    return CLIENTS[request.node.callspec.params["make"]][0]


async def test_exchanges_share_a_connection(make: Any, server: str) -> None:
    client = make(base_url=server)
    peers: set[str] = set()
    for size in (3, 300_000, 0):
        body = b"x" * size
        response = await settle(client.post("/echo", cast_to=httpx.Response, content=body))
        assert response.content == body
        assert response.http_version == "HTTP/1.1"
        assert response.headers["x-user-agent"] == client.user_agent
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


async def test_an_answer_that_is_cut_off(make: Any, server: str) -> None:
    """Item 83."""
    client = make(base_url=server, max_retries=0)

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post("/cut", cast_to=httpx.Response, content=b"half"))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.TransportError)


async def test_a_server_that_says_nothing(make: Any, server: str) -> None:
    """Item 83: a read timeout, told as such by each HTTP client."""
    client = make(base_url=server, max_retries=0, timeout=0.05)

    with pytest.raises(APITimeoutError) as caught:
        await settle(client.post("/silent", cast_to=httpx.Response))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)


async def test_nobody_listens(make: Any) -> None:
    """Item 83."""
    client = make(base_url="http://127.0.0.1:1", max_retries=0)

    with pytest.raises(APIConnectionError) as caught:
        await settle(client.post("/echo", cast_to=httpx.Response))
    await settle(client.close())

    assert isinstance(caught.value.__cause__, httpx.ConnectError)


@pytest.mark.parametrize("make", ["trio"], indirect=True)
async def test_the_aiohttp_client_is_for_asyncio(make: Any) -> None:
    """Item 56."""
    del make
    async with aiohttp_client() as client:
        with pytest.raises(RuntimeError, match="runs on asyncio only"):
            await client.post("/echo", cast_to=httpx.Response)


@pytest.mark.parametrize("make", ["aiohttp"], indirect=True)
async def test_a_stream_left_early_gives_its_connection_up(make: Any, server: str) -> None:
    async with make(base_url=server) as client:
        http_client = client._client
        async with http_client.stream("POST", f"{server}/echo", content=b"x" * 300_000) as response:
            async for _ in response.aiter_raw(10):
                break
        with anyio.fail_after(5):
            whole = await http_client.post(f"{server}/echo", content=b"again")

    assert whole.content == b"again"
