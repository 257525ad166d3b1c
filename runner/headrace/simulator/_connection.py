"""Serves an ASGI application on one byte stream: HTTP/1.1 with h11, under trio.

1. A head is sent with the first part of its body, never alone. So an application that returns before it has
   sent any body closes the stream without a byte.
2. A connection is kept only if both sides completed their messages. Otherwise it is closed.
3. A disconnect is noticed only when the application calls ``receive``: no task watches the stream.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import unquote

import h11
import trio

from headrace_client.lowlevel import ByteStream, memory_stream_pair

from ._asgi import App, Message, Scope

_log = logging.getLogger("headrace.simulator")

_MAX_HEAD = 256 * 1024


class _RequestResponseCycle:
    """One request on a connection, with the ``receive`` and ``send`` of its application."""

    def __init__(self, connection: h11.Connection, stream: ByteStream) -> None:
        self._connection = connection
        self._stream = stream
        self._head = b""
        self._request_complete = False

    async def next_event(self) -> h11.Event | type[h11.NEED_DATA | h11.PAUSED]:
        """Return the next event of the client, reading from the stream as needed."""
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            if self._connection.they_are_waiting_for_100_continue:
                proceed = h11.InformationalResponse(status_code=100, headers=[])
                await self._stream.send_all(self._connection.send(proceed) or b"")
            self._connection.receive_data(await self._stream.receive_some())
        return event

    async def receive(self) -> Message:
        """Return the next part of the request body. After its end, wait until the client disconnects."""
        if not self._request_complete:
            event = await self.next_event()
            if isinstance(event, h11.Data):
                return {"type": "http.request", "body": bytes(event.data), "more_body": True}
            self._request_complete = True
            if isinstance(event, h11.EndOfMessage):
                return {"type": "http.request", "body": b"", "more_body": False}
        while data := await self._stream.receive_some():
            self._connection.receive_data(data)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the response. Raises `OSError` if the client has disconnected."""
        if message["type"] == "http.response.start":
            self._head = self._start(message)
            return
        data = self._head
        self._head = b""
        if body := message.get("body", b""):
            data += self._connection.send(h11.Data(data=body)) or b""
        if not message.get("more_body", False):
            data += self._connection.send(h11.EndOfMessage()) or b""
        await self._stream.send_all(data)

    def _start(self, message: Message) -> bytes:
        if message["status"] < 200:
            return b""
        response = h11.Response(status_code=message["status"], headers=message["headers"])
        return self._connection.send(response) or b""

    async def send_error(self, status: int) -> None:
        """Respond in place of the application, unless it has started its response."""
        if self._connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [(b"content-length", b"0"), (b"connection", b"close")]
            await self.send({"type": "http.response.start", "status": status, "headers": headers})
            await self.send({"type": "http.response.body"})


def _scope(request: h11.Request) -> Scope:
    path, _, query = request.target.partition(b"?")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "scheme": "http",
        "path": unquote(path.decode("latin-1")),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(request.headers),
        "client": None,
        "server": None,
    }


async def _serve_request(app: App, connection: h11.Connection, stream: ByteStream) -> None:
    """Serve one request. The state of the connection afterwards tells whether another one may follow."""
    cycle = _RequestResponseCycle(connection, stream)
    try:
        request = await cycle.next_event()
        if not isinstance(request, h11.Request):
            return
        await app(_scope(request), cycle.receive, cycle.send)
    except h11.RemoteProtocolError as error:
        await cycle.send_error(error.error_status_hint)
    except OSError:
        raise
    except Exception:  # noqa: BLE001 - any error of the application is a 500, as on any server
        _log.exception("the application failed")
        await cycle.send_error(500)


async def serve_connection(app: App, stream: ByteStream) -> None:
    """Serve an ASGI application on one stream until either side closes it, then close it."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=_MAX_HEAD)
    try:
        while True:
            await _serve_request(app, connection, stream)
            if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
                return
            connection.start_next_cycle()
    except OSError:
        return  # the client has disconnected
    finally:
        stream.close()


def in_memory_connector(app: App, nursery: trio.Nursery) -> Callable[[object], Awaitable[ByteStream]]:
    """Return a connector that connects every origin to the application. The nursery runs the connections."""

    async def connect(_origin: object) -> ByteStream:
        await trio.lowlevel.checkpoint()
        client, server = memory_stream_pair()
        nursery.start_soon(serve_connection, app, server)
        return client

    return connect
