"""A threaded HTTP server on the loopback interface that cannot disturb other tests.

A client that goes away makes its handler fail in the middle of a read or write. The standard server prints
the error from the handler's thread, at any later time. If pytest has closed the captured output by then, the
print itself fails, and with it whatever test is running. Here, lost connections are ignored, other failures
of a handler are raised where the server was started, and no thread outlives the server.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NoReturn


class QuietHandler(BaseHTTPRequestHandler):
    """A request handler without a log."""

    def body(self) -> bytes:
        """Read the body of the request. Raises `ConnectionAbortedError` if the client ends it early."""
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self._read(int(self.headers.get("content-length", 0)))
        chunks: list[bytes] = []
        while size := int(self.rfile.readline() or self._ended_early(), 16):
            chunks.append(self._read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _read(self, size: int) -> bytes:
        data = self.rfile.read(size)
        return data if len(data) == size else self._ended_early()

    def _ended_early(self) -> NoReturn:
        raise ConnectionAbortedError("the client closed the connection in the middle of a request")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Log nothing."""


class QuietServer(ThreadingHTTPServer):
    """Ignores clients that go away. ``failures``: every other exception of a handler."""

    daemon_threads = False  # so that server_close waits for them

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.failures: list[BaseException] = []
        self._connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep the exception that is being handled, unless the connection was lost."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            self.failures.append(error)

    def server_close(self) -> None:
        """End the connections that are still open and wait for their threads."""
        for connection in list(self._connections):
            with suppress(OSError):  # the client may have closed it
                connection.shutdown(socket.SHUT_RDWR)
        super().server_close()


@contextmanager
def http_server(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    """Serve on a free port and yield the base URL. Raises the first failure of a handler on leaving."""
    with QuietServer(handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
    for failure in server.failures:
        raise failure
