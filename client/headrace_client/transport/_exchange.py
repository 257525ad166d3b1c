"""One request and its response on one connection: the only place where the transport waits for HTTP."""

from __future__ import annotations

from collections.abc import Callable

import trio

from ._connection_pool import Connection
from ._errors import ConnectionLost, TransportError


class Exchange:
    """An exchange on a connection whose reader has begun.

    ``sent``: the whole request has been handed to the network.
    """

    __slots__ = ("_arrived", "_broken", "connection", "sent")

    def __init__(self, connection: Connection, arrived: Callable[[list[bytes]], None]) -> None:
        self.connection = connection
        self.sent = False
        self._arrived = arrived
        self._broken: OSError | None = None

    async def run(self, request: bytes) -> None:
        """Send the request and read the whole response; ``arrived`` gets what each read brought of the body.

        Sends first and reads then; only a request that does not fit into the socket's buffer is sent and
        answered at the same time, as an early 4xx may come before its end (RFC 9112 section 9.5).
        """
        try:
            taken = self.connection.stream.send_nowait(request)
        except OSError as error:
            self._broken = error
        else:
            if taken < len(request):
                await self._send_and_read(request[taken:])
                return
            self.sent = True
        await self._read()

    def explain(self, error: TransportError) -> TransportError:
        """Return the error with how far the exchange had come."""
        error.sent = self.sent
        error.received = self.connection.reader.received
        error.reused = self.connection.reused
        return error

    async def _send_and_read(self, rest: bytes) -> None:
        """Send the rest while reading; whatever ends the answer ends the sending."""
        failure: TransportError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._send, rest)
            try:
                await self._read()
            except TransportError as error:
                failure = error
            nursery.cancel_scope.cancel()
        if failure is not None:
            raise failure

    async def _send(self, rest: bytes) -> None:
        try:
            await self.connection.stream.send_all(rest)
        except OSError as error:
            self._broken = error  # the server may have answered before it closed: reading tells
        else:
            self.sent = True

    async def _read(self) -> None:
        reader, stream = self.connection.reader, self.connection.stream
        while not reader.complete:
            try:
                data = await stream.receive_some()
            except OSError as error:
                raise ConnectionLost(f"the connection broke: {self._broken or error}") from error
            if data:
                self._arrived(reader.feed(data))
            elif not reader.end():
                raise ConnectionLost("the server closed the connection before its answer was complete")
