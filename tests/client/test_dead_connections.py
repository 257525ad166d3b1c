"""Dead connections: the server closes an idle connection at the moment in which the next request arrives.

On all faces the request is sent again at once, free of a retry and of a wait, once.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from headrace_client import Anthropic, APIConnectionError, AsyncAnthropic, DefaultAioHttpClient
from headrace_client.testing import VirtualClock
from tests.client.backends import settle

OK = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{"ok":1}'
FACES = ["sync", "trio", "asyncio", "aiohttp"]


class DeadServer:
    """Answers ``answers`` requests on each connection, and closes at the next. ``requests``: their bodies."""

    def __init__(self, answers: int, *, resets: bool, says: bytes = b"") -> None:
        self.requests: list[bytes] = []
        self._answers, self._resets, self._says = answers, resets, says
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._serve_connection(connection)

    def _serve_connection(self, connection: socket.socket) -> None:
        for _ in range(self._answers):
            if not self._receive(connection):
                return
            connection.sendall(OK)
        if self._receive(connection):
            connection.sendall(self._says)
            if self._resets:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _receive(self, connection: socket.socket) -> bool:
        data = b""
        while b"\r\n\r\n" not in data or len(data.partition(b"\r\n\r\n")[2]) < 7:
            part = connection.recv(65536)
            if not part:
                return False
            data += part
        self.requests.append(data.partition(b"\r\n\r\n")[2])
        return True


@contextmanager
def dead_server(*arguments: Any, **options: Any) -> Generator[DeadServer]:
    server = DeadServer(*arguments, **options)
    try:
        yield server
    finally:
        server.close()


def each_face(face: str, url: str, use: Callable[[Any], Any], clock: VirtualClock) -> None:
    """Call ``use`` with a client that makes no retries."""

    async def closing(make: Callable[[], Any]) -> None:
        client = make()
        client.clock = clock
        try:
            await use(client)
        finally:
            await settle(client.close())

    def make() -> Any:
        http_client = DefaultAioHttpClient() if face == "aiohttp" else None
        return AsyncAnthropic(base_url=url, max_retries=0, http_client=http_client)

    if face == "sync":
        anyio.run(closing, lambda: Anthropic(base_url=url, max_retries=0))
    else:
        anyio.run(closing, make, backend="trio" if face == "trio" else "asyncio")


async def post(client: Any) -> Any:
    return await settle(client.post("/x", cast_to=object, body={"a": 1}))


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("resets", [True, False])
def test_the_request_is_sent_again_at_once(face: str, resets: bool) -> None:
    clock = VirtualClock()

    async def use(client: Any) -> None:
        for _ in range(4):
            assert await post(client) == {"ok": 1}

    with dead_server(1, resets=resets) as server:
        each_face(face, server.url, use, clock)

    assert server.requests == [b'{"a":1}'] * 7
    assert set(clock.sleeps) <= {0.0}


@pytest.mark.parametrize("face", FACES)
def test_the_end_of_a_new_connection_is_a_failure(face: str) -> None:
    async def use(client: Any) -> None:
        with pytest.raises(APIConnectionError):
            await post(client)

    with dead_server(0, resets=False) as server:
        each_face(face, server.url, use, VirtualClock())

    assert len(server.requests) == 1


@pytest.mark.parametrize("face", FACES)
def test_a_response_that_had_begun_is_a_failure(face: str) -> None:
    async def use(client: Any) -> None:
        await post(client)
        with pytest.raises(APIConnectionError):
            await post(client)

    with dead_server(1, resets=False, says=OK[:-3]) as server:
        each_face(face, server.url, use, VirtualClock())

    assert len(server.requests) == 2


@pytest.mark.parametrize("face", FACES)
def test_a_body_that_was_read_is_not_sent_again(face: str) -> None:
    async def use(client: Any) -> None:
        await post(client)
        with pytest.raises(APIConnectionError) as caught:
            await settle(client.post("/x", cast_to=object, content=iter([b"abcdefgh"])))
        assert caught.value.__notes__ == ["This request was not sent again: the body can be read only once."]

    with dead_server(1, resets=False) as server:
        each_face(face, server.url, use, VirtualClock())

    assert len(server.requests) == 2
