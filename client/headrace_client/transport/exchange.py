"""One request and its whole response on one connection."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from math import inf

import trio

from .connection_pool import Connection
from .errors import AttemptTimedOut, ConnectionLost, ProtocolViolation, TransportError
from .http1 import LINGER

OnData = Callable[[bytes], object]
"""Takes the parts of a body as they arrive, and returns True once it needs no more of them."""


class Exchange:
    """An exchange that collects its response, on a connection whose reader is ready (`ResponseReader.begin`).

    ``sent``: the whole request has been passed to the network. ``parts``: the decoded body. ``due``: when the
    deadline or the idle timeout passes. ``late``: whether it has. Times are on trio's clock.

    Once ``on_data`` returns True, the response counts as complete, whatever becomes of its rest. It may end
    within `LINGER` seconds; if it does not, its connection is out of step and must be closed.
    """

    __slots__ = (
        "_broken",
        "_deadline",
        "_enough",
        "_idle_timeout",
        "_on_data",
        "_scope",
        "connection",
        "due",
        "finished_at",
        "first_byte_at",
        "late",
        "parts",
        "sent",
    )

    def __init__(
        self,
        connection: Connection,
        *,
        now: float,
        deadline: float,
        idle_timeout: float,
        on_data: OnData | None,
    ) -> None:
        self.connection = connection
        self.sent = self.late = False
        self.parts: list[bytes] = []
        self.first_byte_at = self.finished_at = inf
        self.due = min(deadline, now + idle_timeout)
        self._deadline = deadline
        self._idle_timeout = idle_timeout
        self._on_data = on_data
        self._enough = False
        self._scope: trio.CancelScope | None = None
        self._broken: OSError | None = None

    async def run(self, request: bytes) -> None:
        """Send the request and read the response, until a watchdog calls `cut`. Raises `TransportError`."""
        rest = self._send_nowait(request)
        if rest:
            await self._send_and_read(rest)
        else:
            await self._read()

    async def run_in_scope(self, request: bytes) -> None:
        """Do the same without a watchdog, in a cancel scope. Raises `TransportError`."""
        with trio.CancelScope(deadline=self.due) as self._scope:
            await self.run(request)
            return
        if not self._enough:
            raise self._timed_out()

    def cut(self) -> None:
        """Abort the exchange because it is late. Closing its connection wakes the task that waits for it."""
        self.late = True
        self.connection.stream.close()

    def explain(self, error: TransportError) -> None:
        """Add to the error how far the exchange had progressed."""
        error.sent = self.sent
        error.received = self.connection.reader.received
        error.reused = self.connection.reused

    def _send_nowait(self, request: bytes) -> bytes:
        """Send without waiting, and return the rest."""
        try:
            count = self.connection.stream.send_nowait(request)
        except OSError as error:
            self._broken = error  # the server may have responded before it closed; reading shows
            return b""
        if count == len(request):
            self.sent = True
            return b""
        return request[count:]

    async def _send_and_read(self, rest: bytes) -> None:
        """Send the rest while reading, because a 4xx may arrive before its end (RFC 9112 section 9.5).

        The end of the response also ends the sending.
        """
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

    async def _read(self) -> None:
        reader, stream = self.connection.reader, self.connection.stream
        while not (reader.complete or self._enough):
            try:
                data = await stream.receive_some()
            except (OSError, trio.ClosedResourceError) as error:
                if self.late:
                    raise self._timed_out() from None
                raise ConnectionLost(f"the connection broke: {self._broken or error}") from error
            if data:
                self._collect(self._decoded(data))
            elif not reader.end():
                raise ConnectionLost("the server closed the connection before the response was complete")
        if not reader.complete:
            await self._linger()

    def _decoded(self, data: bytes) -> list[bytes]:
        """Return the parts of the body in the next bytes. What breaks the protocol may follow them."""
        reader = self.connection.reader
        try:
            return reader.feed(data)
        except ProtocolViolation:
            with suppress(TransportError):
                self._collect(reader.salvage())
            if not self._enough:
                raise
            return []

    async def _linger(self) -> None:
        """Give the response a moment to end, so that its connection can be reused. No error matters here."""
        reader = self.connection.reader
        with trio.move_on_after(LINGER), suppress(OSError, trio.ClosedResourceError, TransportError):
            while not reader.complete:
                data = await self.connection.stream.receive_some()
                if not data:
                    return
                reader.feed(data)

    def _collect(self, parts: list[bytes]) -> None:
        self.finished_at = now = trio.current_time()
        if self.first_byte_at == inf:
            self.first_byte_at = now
        reader = self.connection.reader
        if not reader.complete:
            self.due = min(self._deadline, now + self._idle_timeout)
            if self._scope is not None:
                self._scope.deadline = self.due
        self.parts += parts
        if self._on_data is not None and 200 <= reader.status < 300:
            for part in parts:
                self._enough = self._on_data(part) is True or self._enough

    async def _send(self, rest: bytes) -> None:
        try:
            await self.connection.stream.send_all(rest)
        except OSError as error:
            self._broken = error
        except trio.ClosedResourceError:
            if not self.late:
                raise
        else:
            self.sent = True

    def _timed_out(self) -> AttemptTimedOut:
        if self.due >= self._deadline:
            return AttemptTimedOut("the deadline passed")
        return AttemptTimedOut(f"idle timeout: the server sent no data for {self._idle_timeout:g} s")
