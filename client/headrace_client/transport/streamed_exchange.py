"""One request and its response as streams: sent as the body comes about, read as somebody asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from math import inf

import trio

from .connection_pool import Connection, ConnectionPool
from .errors import AttemptTimedOut, ConnectionLost, TransportError
from .http1 import ReadLimits

_CLIENT_ERROR = 400


class StreamedExchange:
    """An exchange on a connection taken from a pool, to which it gives it back when it is over.

    `send`, then `receive` until it returns None, or `close` before that. ``read_timeout`` and
    ``write_timeout``: seconds that one read or write may wait before `AttemptTimedOut` is raised.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        connection: Connection,
        *,
        read_timeout: float = inf,
        write_timeout: float = inf,
    ) -> None:
        self._pool = pool
        self._connection = connection
        self._returned = False
        self._read_timeout = read_timeout
        self._write_timeout = write_timeout
        self._arrived: list[bytes] = []
        self._sent = False
        self._failure: Exception | None = None

    async def send(
        self, head: bytes, body: bytes | AsyncIterator[bytes], limits: ReadLimits, *, bodiless: bool
    ) -> tuple[int, bytes]:
        """Send the request and return the status and the raw head of the response. Raises `TransportError`.

        ``head`` ends with the empty line; an iterated ``body`` is framed already. An answer of 400 or above
        that comes early ends the sending (RFC 9112 section 9.5), any other waits for it.
        """
        reader = self._connection.reader
        reader.begin(limits, bodiless=bodiless, decode=False)
        try:
            await self._send(head, body)
            while reader.head is None:
                await self._read_in_time()
        except BaseException as error:
            self._fail(error)
            raise
        return reader.status, reader.head

    async def receive(self) -> bytes | None:
        """Return a piece of the body, its content coding left as it is, or None at the end."""
        while not self._arrived:
            if self._connection.reader.complete:
                self.close()
                return None
            try:
                await self._read_in_time()
            except BaseException as error:
                self._fail(error)
                raise
        return self._arrived.pop(0)

    def close(self) -> None:
        """Give the connection back: to be reused if the exchange is over, else to be closed."""
        if self._returned:
            return
        self._returned = True
        if self._sent and self._connection.reader.complete:
            self._pool.release(self._connection, trio.current_time())
        else:
            self._pool.discard(self._connection)

    def _fail(self, error: BaseException) -> None:
        if not self._returned:
            self._returned = True
            self._pool.discard(self._connection)
        if isinstance(error, TransportError):
            error.sent = self._sent
            error.received = self._connection.reader.received
            error.reused = self._connection.reused

    async def _send(self, head: bytes, body: bytes | AsyncIterator[bytes]) -> None:
        """Send all, or what an early answer lets us send; a broken connection is left for reading to find."""
        if isinstance(body, bytes):
            unsent = self._send_nowait(head + body)
            if unsent:
                await self._send_while_reading(self._write(unsent))
        else:
            await self._send_while_reading(self._write_pieces(head, body))

    def _send_nowait(self, request: bytes) -> bytes:
        """Send what goes at once, which is nearly always all (no task of its own: 25 us), return the rest."""
        try:
            count = self._connection.stream.send_nowait(request)
        except OSError:
            return b""
        self._sent = count == len(request)
        return request[count:]

    async def _send_while_reading(self, sending: Coroutine[None, None, None]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._watch, nursery.cancel_scope)
            try:
                await sending
                self._sent = True
            except OSError:
                pass
            except Exception as error:  # noqa: BLE001  # raised below, where no nursery makes a group of it
                self._failure = error
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _write_pieces(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        unsent = head
        async for piece in body:
            await self._write(unsent + piece)
            unsent = b""
        if unsent:
            await self._write(unsent)

    async def _write(self, data: bytes) -> None:
        count = self._connection.stream.send_nowait(data)
        if count < len(data):
            with trio.move_on_after(self._write_timeout) as waiting:
                await self._connection.stream.send_all(data[count:])
            if waiting.cancelled_caught:
                raise AttemptTimedOut(f"the server took nothing in for {self._write_timeout:g} s")

    async def _watch(self, sending: trio.CancelScope) -> None:
        """Read while the request is sent, up to the head of an answer; an error status ends the sending."""
        reader = self._connection.reader
        try:
            while reader.head is None:
                await self._read()
        except ConnectionLost:
            return  # the sending finds it out, or reading does when it is over
        except TransportError as error:
            self._failure = error
        if self._failure is not None or reader.status >= _CLIENT_ERROR:
            sending.cancel()

    async def _read_in_time(self) -> None:
        with trio.move_on_after(self._read_timeout) as waiting:
            await self._read()
        if waiting.cancelled_caught:
            raise AttemptTimedOut(f"the server was silent for {self._read_timeout:g} s")

    async def _read(self) -> None:
        reader = self._connection.reader
        try:
            data = await self._connection.stream.receive_some()
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error}") from error
        if data:
            self._arrived += reader.feed(data)
        elif not reader.end():
            raise ConnectionLost("the server closed the connection before its answer was complete")
