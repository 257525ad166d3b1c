"""The driver of the pool: it opens, probes and closes connections as the rules in `pool` decide."""

from __future__ import annotations

import attrs
import trio

from .connect import Connector, connect_tcp
from .errors import ConnectFailed, ConnectionLost
from .http1 import KeepAliveTerms, ResponseReader
from .origin import Origin
from .pool import PoolLimits, PoolState, PoolStatistics, Waiter
from .stream import ByteStream
from .watchdog import Watchdog

_KEEP_ALIVE_MARGIN = 1.0
"""Seconds of ``keep-alive: timeout=`` that are not used, because a request takes time to arrive."""


@attrs.define(eq=False)
class Connection:
    """A stream, and the reader of its responses."""

    origin: Origin
    stream: ByteStream
    reader: ResponseReader = attrs.Factory(ResponseReader)
    reused: bool = False
    """Whether it has been used for an earlier exchange."""


class ConnectionPool:
    """Connections to any number of origins, for the tasks of one trio event loop.

    It starts no tasks: idle connections are checked when one is taken. If you make many exchanges, run
    `watchdog.run` in a nursery: it watches their deadlines at a tenth of the cost of cancel scopes.
    """

    def __init__(self, *, connect: Connector = connect_tcp, limits: PoolLimits | None = None) -> None:
        self._connect = connect
        self._limits = limits if limits is not None else PoolLimits()
        self._state = PoolState[Connection](self._limits)
        self._events: dict[Waiter[Connection], trio.Event] = {}
        self._closed = False
        self.watchdog = Watchdog()

    def take_nowait(self, origin: Origin, now: float) -> Connection | None:
        """Return an idle connection that can be reused, if there is one. Close others on the way."""
        while True:
            connection, expired = self._state.take(origin, now)
            for old in expired:
                old.stream.close()
            if connection is None or connection.stream.probe():
                return connection
            self.discard(connection)

    async def acquire(
        self, origin: Origin, *, connect_timeout: float | None = None, new: bool = False
    ) -> Connection:
        """Return a connection for one exchange: an idle one, else a new one. Wait in line if necessary.

        ``connect_timeout``: seconds, instead of the limits' own. ``new``: do not use an idle one.
        Raises `ConnectFailed` or `ConnectionLost`, and `trio.ClosedResourceError` if the pool is closed.
        """
        while new or (connection := self.take_nowait(origin, trio.current_time())) is None:
            if self._closed:
                raise trio.ClosedResourceError("this connection pool is closed")
            if self._state.may_open():
                self._begin_opening()
                return await self._open(origin, connect_timeout)
            granted = await self._wait(self._state.wait(origin))
            if granted is None:
                return await self._open(origin, connect_timeout)
            if granted.stream.probe() and not new:
                return granted
            self.discard(granted)
        return connection

    def release(self, connection: Connection, now: float) -> None:
        """Take back a connection after an exchange: keep it if it can be reused, else close it."""
        reader = connection.reader
        allowed = self._limits.idle_expiry if reader.terms is None else self._allowed(reader.terms)
        if self._closed or not reader.reusable or allowed <= 0:
            self.discard(connection)
            return
        connection.reused = True
        self._put_back(connection, now + allowed)

    def discard(self, connection: Connection) -> None:
        """Close a connection that was in use."""
        connection.stream.close()
        self._state.forget()
        self._grant_openings()

    def statistics(self) -> PoolStatistics:
        """Return a snapshot of the pool."""
        return self._state.statistics()

    def close(self) -> None:
        """Close idle connections now, and those in use when they are returned. No more can be acquired."""
        self._closed = True
        for connection in self._state.drop_all():
            connection.stream.close()
        for event in self._events.values():
            event.set()

    async def aclose(self) -> None:
        """Close as `close` does. A checkpoint."""
        self.close()
        await trio.lowlevel.checkpoint()

    def _allowed(self, terms: KeepAliveTerms) -> float:
        """Return for how many seconds an idle connection may be reused; 0 or less means not at all."""
        if terms.further == 0:
            return 0
        if terms.timeout is None:
            return self._limits.idle_expiry
        return min(self._limits.idle_expiry, terms.timeout - _KEEP_ALIVE_MARGIN)

    def _begin_opening(self) -> None:
        dropped = self._state.begin_opening()
        if dropped is not None:
            dropped.stream.close()

    async def _open(self, origin: Origin, connect_timeout: float | None) -> Connection:
        """Open a connection, after `_begin_opening`. Raises `ConnectFailed` or `ConnectionLost`."""
        limit = self._limits.connect_timeout if connect_timeout is None else connect_timeout
        success = False
        try:
            with trio.fail_after(limit):
                stream = await self._connect(origin)
            success = True
        except trio.TooSlowError as error:
            raise ConnectFailed(f"no connection to {origin} within {limit:g} s") from error
        except OSError as error:
            raise ConnectFailed(f"no connection to {origin}: {error}") from error
        finally:
            self._state.end_opening(success=success)
            self._grant_openings()
        connection = Connection(origin, stream)
        if not stream.probe():
            self.discard(connection)
            raise ConnectionLost("the server closed the connection, or sent data on it, before the request")
        return connection

    async def _wait(self, waiter: Waiter[Connection]) -> Connection | None:
        """Wait in line; return the granted connection, or None for the right to open one."""
        event = self._events[waiter] = trio.Event()
        try:
            await event.wait()
        except trio.Cancelled:
            self._give_up(waiter)
            raise
        finally:
            del self._events[waiter]
        if not waiter.granted:
            self._state.withdraw(waiter)
            raise trio.ClosedResourceError("this connection pool is closed")
        return waiter.connection

    def _give_up(self, waiter: Waiter[Connection]) -> None:
        """Pass on what a cancelled waiter was granted, or leave the line."""
        if not waiter.granted:
            self._state.withdraw(waiter)
        elif waiter.connection is not None:
            self._put_back(waiter.connection, trio.current_time())
        else:
            self._state.give_up_opening()
            self._grant_openings()

    def _put_back(self, connection: Connection, until: float) -> None:
        """Give the connection to the first in line for its origin, or let it make room for another."""
        waiter = self._state.put_back(connection, connection.origin, until)
        if waiter is not None:
            self._events[waiter].set()
        elif self._events:
            self._grant_openings()

    def _grant_openings(self) -> None:
        """Grant the right to open a connection to as many in line as there is room for."""
        while (waiter := self._state.next_to_open()) is not None:
            self._begin_opening()
            self._events[waiter].set()
