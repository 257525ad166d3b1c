"""The rules of the pool (pure): which connection to reuse, when to open one, who waits, what to close.

1. The newest idle connection of an origin is used first (LIFO), so that older ones expire when the load
   falls.
2. There are never more than `PoolLimits.max_connections`. An idle connection to another origin is closed to
   make room.
3. The number of connections being opened at once starts small, grows by one with each success and halves
   with each failure (a slow start, as in TCP). So thousands of workers that start together do not overflow
   the server's listen queue, and handshakes do not delay running exchanges.
4. A request that gets neither waits in line. A returned connection, or the right to open one, goes to the
   first in line.

The cost of each step does not depend on the number of connections.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

from .origin import Origin

C = TypeVar("C")

NEW_CONNECTION = "headrace.new_connection"
"""The extension of an httpx request that must not use an idle connection."""
_INITIAL_OPENING = 16
"""Connections that may be opened at once at first."""


@attrs.frozen(kw_only=True)
class PoolLimits:
    """The limits of a pool. Times are in seconds."""

    max_connections: int | None = None
    """The most connections, including idle ones; None: no limit."""
    max_opening: int = 128
    """The most connections being opened at once. Listen queues are short (nginx 511, asyncio 100)."""
    idle_expiry: float = 55.0
    """How long an idle connection may be reused. Servers close them after 60 s (AWS) or 75 s (nginx)."""
    connect_timeout: float = 10.0
    """How long opening a connection may take, including name lookup and TLS handshake."""


@attrs.frozen(kw_only=True)
class PoolStatistics:
    """A snapshot of a pool: connections opened and reused so far, and how many are in each state now."""

    opened: int
    reused: int
    idle: int
    in_use: int
    opening: int
    waiting: int


@attrs.define(eq=False)
class Waiter(Generic[C]):
    """A place in line. It is granted a connection or, if ``connection`` is None, the right to open one."""

    origin: Origin
    granted: bool = False
    connection: C | None = None


class PoolState(Generic[C]):
    """The state of a pool of connections of type ``C``. It neither waits nor closes anything itself."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._idle: dict[Origin, deque[tuple[float, C]]] = {}
        self._alive = 0
        self._opening = 0
        self._window = min(_INITIAL_OPENING, limits.max_opening)
        self._line: OrderedDict[Waiter[C], None] = OrderedDict()
        self._lines: dict[Origin, OrderedDict[Waiter[C], None]] = {}
        self._opened = 0
        self._reused = 0

    def take(self, origin: Origin, now: float) -> tuple[C | None, Sequence[C]]:
        """Return the newest idle connection to ``origin``, if there is one, and the expired ones to close.

        The connection is then in use, and counts as reused. ``now``: seconds, on the clock of `put_back`.
        """
        idle = self._idle.get(origin)
        if not idle:
            return None, ()
        expired: Sequence[C] = () if idle[0][0] > now and idle[-1][0] > now else self._expired(idle, now)
        if not idle:
            return None, expired
        self._reused += 1
        return idle.pop()[1], expired

    def put_back(self, connection: C, origin: Origin, until: float) -> Waiter[C] | None:
        """Take back a connection that may be reused until then; return the waiter that gets it, if any."""
        if self._line and origin in self._lines:
            waiter = next(iter(self._lines[origin]))
            self._leave(waiter)
            waiter.granted, waiter.connection = True, connection
            self._reused += 1
            return waiter
        idle = self._idle.get(origin)
        if idle is None:
            idle = self._idle[origin] = deque()
        idle.append((until, connection))
        return None

    def forget(self) -> None:
        """Note that a connection in use has been closed."""
        self._alive -= 1

    def drop_all(self) -> list[C]:
        """Remove and return all idle connections, to be closed."""
        dropped = [connection for idle in self._idle.values() for _, connection in idle]
        self._idle.clear()
        self._alive -= len(dropped)
        return dropped

    def may_open(self) -> bool:
        """Return whether a connection may be opened now, possibly after closing an idle one."""
        return self._opening < self._window and (not self._is_full() or any(self._idle.values()))

    def begin_opening(self) -> C | None:
        """Note that an opening begins; return an idle connection that must be closed to make room."""
        dropped = self._drop_any() if self._is_full() else None
        self._opening += 1
        return dropped

    def end_opening(self, *, success: bool) -> None:
        """Note the end of an opening. If it succeeded, the connection is in use."""
        self._opening -= 1
        if success:
            self._alive += 1
            self._opened += 1
            self._window = min(self._window + 1, self._limits.max_opening)
        else:
            self._window = max(self._window // 2, 1)

    def give_up_opening(self) -> None:
        """Give back the right to open a connection."""
        self._opening -= 1

    def wait(self, origin: Origin) -> Waiter[C]:
        """Join the end of the line."""
        waiter = Waiter[C](origin)
        self._line[waiter] = None
        self._lines.setdefault(origin, OrderedDict())[waiter] = None
        return waiter

    def withdraw(self, waiter: Waiter[C]) -> None:
        """Leave the line without a grant."""
        self._leave(waiter)

    def next_to_open(self) -> Waiter[C] | None:
        """Grant the first in line the right to open a connection, if there is room."""
        if not self._line or not self.may_open():
            return None
        waiter = next(iter(self._line))
        self._leave(waiter)
        waiter.granted = True
        return waiter

    def statistics(self) -> PoolStatistics:
        idle = sum(map(len, self._idle.values()))
        return PoolStatistics(
            opened=self._opened,
            reused=self._reused,
            idle=idle,
            in_use=self._alive - idle,
            opening=self._opening,
            waiting=len(self._line),
        )

    def _is_full(self) -> bool:
        limit = self._limits.max_connections
        return limit is not None and self._alive + self._opening >= limit

    def _drop_any(self) -> C | None:
        for idle in self._idle.values():
            if idle:
                self._alive -= 1
                return idle.popleft()[1]
        return None

    def _expired(self, idle: deque[tuple[float, C]], now: float) -> list[C]:
        """Remove expired connections from both ends: the newest may have been allowed less time."""
        expired: list[C] = []
        while idle and idle[0][0] <= now:
            expired.append(idle.popleft()[1])
        while idle and idle[-1][0] <= now:
            expired.append(idle.pop()[1])
        self._alive -= len(expired)
        return expired

    def _leave(self, waiter: Waiter[C]) -> None:
        del self._line[waiter]
        line = self._lines[waiter.origin]
        del line[waiter]
        if not line:
            del self._lines[waiter.origin]
