"""One request and its response as streams: the body is sent as it is generated and read on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from math import inf

import trio

from .connection_pool import Connection, ConnectionPool
from .errors import AttemptTimedOut, ConnectionLost, TransportError
from .http1 import ReadLimits

_CLIENT_ERROR = 400


class StreamedExchange:
    """An exchange on a connection of a pool, to which it returns the connection at its end.

    Call `send`, then `receive` until it returns None, or `close` before that. ``read_timeout``,
    ``write_timeout``: how many seconds one read or write may wait.
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
        """Send the request; return the status and the raw head of the response. Raises `TransportError`.

        ``head`` ends with the empty line; an iterated ``body`` is already framed. ``bodiless``: the request
        is HEAD. An early response with a status of 400 or above ends the sending (RFC 9112 section 9.5); any
        other waits for its end.
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
        """Return the next part of the body, not decoded, or None at the end. Raises `TransportError`."""
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
        """Return the connection to the pool, for reuse if the exchange is complete, else to be closed."""
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
        """Send everything, or until an early response. A broken connection is left for reading to report."""
        if isinstance(body, bytes):
            unsent = self._send_nowait(head + body)
            if unsent:
                await self._send_while_reading(self._write(unsent))
        else:
            await self._send_while_reading(self._write_parts(head, body))

    def _send_nowait(self, request: bytes) -> bytes:
        """Send without waiting, and return the rest: nearly always nothing, which saves a task (25 us)."""
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
            except Exception as error:  # noqa: BLE001  # raised below, outside the nursery, which would wrap it in a group
                self._failure = error
            nursery.cancel_scope.cancel()
        if self._failure is not None:
            raise self._failure

    async def _write_parts(self, head: bytes, body: AsyncIterator[bytes]) -> None:
        unsent = head
        async for part in body:
            await self._write(unsent + part)
            unsent = b""
        if unsent:
            await self._write(unsent)

    async def _write(self, data: bytes) -> None:
        count = self._connection.stream.send_nowait(data)
        if count < len(data):
            with trio.move_on_after(self._write_timeout) as waiting:
                await self._connection.stream.send_all(data[count:])
            if waiting.cancelled_caught:
                raise AttemptTimedOut(
                    f"write timeout: the server accepted no data for {self._write_timeout:g} s"
                )

    async def _watch(self, sending: trio.CancelScope) -> None:
        """Read during the sending, up to the head of a response. An error status ends the sending."""
        reader = self._connection.reader
        try:
            while reader.head is None:
                await self._read()
        except ConnectionLost:
            return  # the sending fails as well, or reading does after it
        except TransportError as error:
            self._failure = error
        if self._failure is not None or reader.status >= _CLIENT_ERROR:
            sending.cancel()

    async def _read_in_time(self) -> None:
        with trio.move_on_after(self._read_timeout) as waiting:
            await self._read()
        if waiting.cancelled_caught:
            raise AttemptTimedOut(f"read timeout: the server sent no data for {self._read_timeout:g} s")

    async def _read(self) -> None:
        reader = self._connection.reader
        try:
            data = await self._connection.stream.receive_some()
        except OSError as error:
            raise ConnectionLost(f"the connection broke: {error}") from error
        if data:
            self._arrived += reader.feed(data)
        elif not reader.end():
            raise ConnectionLost("the server closed the connection before the response was complete")
