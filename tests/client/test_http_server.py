"""The HTTP server of these tests: clients that go away do not disturb it, or anything else."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.client.http_server import QuietHandler, http_server

BODY = b"x" * 10_000_000
"""More than the sockets' buffers hold, so the server is still writing when the client goes away."""
REQUEST = b"GET /large HTTP/1.1\r\nhost: h\r\n\r\n"


class Handler(QuietHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        self.body()

    def do_GET(self) -> None:  # noqa: N802  # the base class's name
        if self.path == "/bug":
            raise LookupError("a bug of the handler")
        body = BODY if self.path == "/large" else b"fine"
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port))


def ask(url: str, path: str) -> bytes:
    """Return the whole response to one request."""
    with connect(url) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n" % path.encode())
        return connection.makefile("rb").read()


def reset(connection: socket.socket) -> None:
    """Close a connection so that the peer gets a reset (RST) and not an end."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.parametrize(
    "sent",
    [b"", REQUEST[:9], REQUEST, b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "a request", "half a body"],
)
@pytest.mark.parametrize("leave", [socket.socket.close, reset])
def test_a_client_that_goes_away_is_ignored(
    sent: bytes, leave: Callable[[socket.socket], None], capfd: pytest.CaptureFixture[str]
) -> None:
    before = threading.active_count()

    with http_server(Handler) as url:
        for _ in range(5):
            connection = connect(url)
            connection.sendall(sent)
            if sent == REQUEST:
                connection.recv(1000)
            leave(connection)
        answer = ask(url, "/")

    assert answer.endswith(b"fine")
    assert threading.active_count() == before
    assert capfd.readouterr().err == ""


def test_an_open_connection_does_not_keep_the_server_open() -> None:
    before = threading.active_count()

    with http_server(Handler) as url, connect(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 200"

    assert threading.active_count() == before


def test_a_bug_in_a_handler_is_raised() -> None:
    with pytest.raises(LookupError, match="a bug of the handler"), http_server(Handler) as url:
        ask(url, "/bug")
