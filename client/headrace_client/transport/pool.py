"""The pool's rules, pure: which connection to reuse, when to open one, who waits, what to close.

The rules of this file:

1. The newest idle connection of an origin goes first (LIFO): under falling load the older ones grow too old.
2. Never more than `PoolLimits.max_connections` in all; an idle connection to another origin makes room.
3. The number of connections being opened at once begins small, grows by one with each success and halves with
   each failure (slow start, as TCP does it): thousands of workers that start together do not overrun the
   server's listen queue, and handshakes do not hold up the exchanges that run already.
4. Who finds neither waits in line; a returned connection or the right to open one goes to the first in line.

Each step costs the same however many connections there are.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Generic, TypeVar

import attrs

from .origin import Origin

C = TypeVar("C")

NEW_CONNECTION = "headrace.new_connection"
"""The extension of a request of httpx's that shall not go over an idle connection."""
_FIRST_OPENING = 16


@attrs.frozen(kw_only=True)
class PoolLimits:
    """What a pool may hold. Times are in seconds."""

    max_connections: int | None = None
    """Most connections at once, idle ones included; None: as many as there are exchanges at once."""
    max_opening: int = 128
    """Most connections being opened at once: listen queues are short (nginx 511, asyncio 100)."""
    idle_expiry: float = 55.0
    """How long an idle connection stays fit: servers drop them after 60 s (AWS) or 75 s (nginx)."""
    connect_timeout: float = 10.0
    """How long opening one connection may take, name look-up and TLS handshake included."""


@attrs.frozen(kw_only=True)
class PoolStatistics:
    """A snapshot of a pool: connections opened and reuses so far, and how many there are of each kind now."""

    opened: int
    reused: int
    idle: int
    in_use: int
    opening: int
    waiting: int


@attrs.define(eq=False)
class Waiter(Generic[C]):
    """A place in line: granted either a connection or, with ``connection`` None, the right to open one."""

    origin: Origin
    granted: bool = False
    connection: C | None = None


class PoolState(Generic[C]):
    """The state of a pool of connections of any kind ``C``: nothing waits and nothing is closed here."""

    def __init__(self, limits: PoolLimits) -> None:
        self._limits = limits
        self._idle: dict[Origin, deque[tuple[float, C]]] = {}
        self._alive = 0
        self._opening = 0
        self._window = min(_FIRST_OPENING, limits.max_opening)
        self._line: OrderedDict[Waiter[C], None] = OrderedDict()
        self._lines: dict[Origin, OrderedDict[Waiter[C], None]] = {}
        self._opened = 0
        self._reused = 0

    def take(self, origin: Origin, now: float) -> tuple[C | None, Sequence[C]]:
        """Return the newest idle connection to ``origin``, if there is one, and those too old, to be closed.

        The connection is in use from now on, and counts as reused.
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
        """Take back a connection that is fit until then; return the waiter that was granted it, if any."""
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
        """Count one connection less: it was in use and has been closed."""
        self._alive -= 1

    def drop_all(self) -> list[C]:
        """Take every idle connection out of the pool, to be closed."""
        dropped = [connection for idle in self._idle.values() for _, connection in idle]
        self._idle.clear()
        self._alive -= len(dropped)
        return dropped

    def may_open(self) -> bool:
        """Tell whether a connection may be opened now, room made by an idle one included."""
        return self._opening < self._window and (not self._is_full() or any(self._idle.values()))

    def begin_opening(self) -> C | None:
        """Count a connection as being opened; return an idle one that must be closed to make room for it."""
        dropped = self._drop_any() if self._is_full() else None
        self._opening += 1
        return dropped

    def end_opening(self, *, success: bool) -> None:
        """Count an opening as over; the connection is in use if it succeeded."""
        self._opening -= 1
        if success:
            self._alive += 1
            self._opened += 1
            self._window = min(self._window + 1, self._limits.max_opening)
        else:
            self._window = max(self._window // 2, 1)

    def give_up_opening(self) -> None:
        """Count an opening as over that was granted and never begun."""
        self._opening -= 1

    def wait(self, origin: Origin) -> Waiter[C]:
        """Return a new place at the end of the line."""
        waiter = Waiter[C](origin)
        self._line[waiter] = None
        self._lines.setdefault(origin, OrderedDict())[waiter] = None
        return waiter

    def withdraw(self, waiter: Waiter[C]) -> None:
        """Leave the line without having been granted anything."""
        self._leave(waiter)

    def next_to_open(self) -> Waiter[C] | None:
        """Grant the first in line the right to open a connection if there is room; it then begins opening."""
        if not self._line or not self.may_open():
            return None
        waiter = next(iter(self._line))
        self._leave(waiter)
        waiter.granted = True
        return waiter

    def statistics(self) -> PoolStatistics:
        """Return a snapshot."""
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
        most = self._limits.max_connections
        return most is not None and self._alive + self._opening >= most

    def _drop_any(self) -> C | None:
        for idle in self._idle.values():
            if idle:
                self._alive -= 1
                return idle.popleft()[1]
        return None

    def _expired(self, idle: deque[tuple[float, C]], now: float) -> list[C]:
        """Take out what is too old: from the oldest on, and from the newest on where a server allows less."""
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
