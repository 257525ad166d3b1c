"""The lane: exactly one attempt at one request, and what came of it.

A lane never sleeps, retries or redirects. Whoever holds it (the client's flow, the runner's
dispatcher) decides with a policy of its own what to do about an `Answer` or a `TransportError`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cached_property
from math import inf
from typing import Protocol

import attrs
import trio

from headrace_client.transport import (
    AttemptTimedOut,
    ConnectionPool,
    Headers,
    Origin,
    ReadLimits,
    TransportError,
)
from headrace_client.transport._deadline import MovingDeadline
from headrace_client.transport._exchange import Exchange
from headrace_client.transport._http1 import RequestTemplate


@attrs.define(kw_only=True)
class Answer:
    """A whole response, whatever its status. Times are those of the event loop's monotonic clock, seconds.

    ``sent``: the whole request was sent before the answer was complete (False after an early 4xx).
    """

    status: int
    head: bytes
    """The raw head: status line and header lines, as they came."""
    body: bytes
    """The decoded body: transfer and content encodings are undone."""
    sent: bool = True
    started_at: float
    first_byte_at: float
    finished_at: float

    @cached_property
    def headers(self) -> Mapping[str, str]:
        """The header fields by case-insensitive name, parsed when first looked at."""
        return Headers.parse(self.head)

    @property
    def request_id(self) -> str | None:
        """The provider's name for this attempt (``request-id``, ``x-request-id``)."""
        return self.headers.get("request-id") or self.headers.get("x-request-id")


class Lane(Protocol):
    """One worker's way to one endpoint: method, path and headers are fixed, bodies follow each other."""

    async def send(
        self,
        body: bytes,
        *,
        taken: int = 0,
        deadline: float = inf,
        on_data: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """Make one attempt and return the whole answer.

        ``taken``: attempts already made (told to the server). ``deadline``: absolute, on the event loop's
        clock. ``on_data``: called with each piece of a 2xx answer's decoded body as it arrives
        (the body is collected all the same).

        Raises `TransportError`; a cancelled or failed exchange has closed its connection.
        """
        ...


class PooledLane:
    """A lane over a `ConnectionPool`: the hot path (16-23 us of CPU for a small exchange)."""

    def __init__(
        self,
        pool: ConnectionPool,
        origin: Origin,
        template: RequestTemplate,
        timer: MovingDeadline,
        *,
        idle_timeout: float,
        limits: ReadLimits,
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._template = template
        self._timer = timer
        self._idle_timeout = idle_timeout
        self._limits = limits

    async def send(
        self,
        body: bytes,
        *,
        taken: int = 0,
        deadline: float = inf,
        on_data: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """Make one attempt and return the whole answer; see `Lane.send`."""
        request = self._template.render(body, taken)
        if self._timer.is_innermost():
            return await self._attempt(self._timer, request, deadline, on_data)
        with MovingDeadline() as timer:
            return await self._attempt(timer, request, deadline, on_data)

    async def _attempt(
        self,
        timer: MovingDeadline,
        request: bytes,
        deadline: float,
        on_data: Callable[[bytes], None] | None,
    ) -> Answer:
        started_at = trio.current_time()
        first_byte_at = 0.0
        parts: list[bytes] = []
        exchange: Exchange | None = None
        idle = self._idle_timeout

        def arrived(pieces: list[bytes]) -> None:
            nonlocal first_byte_at
            now = trio.current_time()
            if not first_byte_at:
                first_byte_at = now
            if not reader.complete:
                timer.arm(min(deadline, now + idle))
            parts.extend(pieces)
            if on_data is not None and 200 <= reader.status < 300:
                for piece in pieces:
                    on_data(piece)

        await trio.lowlevel.checkpoint_if_cancelled()
        if deadline <= started_at:
            raise AttemptTimedOut("the deadline had passed before the attempt began")
        timer.arm(min(deadline, started_at + idle))
        try:
            connection = self._pool.take_nowait(self._origin) or await self._pool.acquire(self._origin)
            reader = connection.reader
            reader.begin(self._limits, bodiless=self._template.bodiless)
            exchange = Exchange(connection, arrived)
            await exchange.run(request)
        except BaseException as error:
            if exchange is not None:
                self._pool.discard(exchange.connection)
            if timer.absorb(error):
                late = trio.current_time() >= deadline
                reason = "the deadline passed" if late else f"the server was silent for {idle:g} s"
                timeout = AttemptTimedOut(reason)
                raise (exchange.explain(timeout) if exchange else timeout) from None
            if exchange is not None and isinstance(error, TransportError):
                exchange.explain(error)
            raise
        finally:
            timer.disarm()
        self._pool.release(connection)
        return Answer(
            status=reader.status,
            head=reader.head or b"",
            body=parts[0] if len(parts) == 1 else b"".join(parts),
            sent=exchange.sent,
            started_at=started_at,
            first_byte_at=first_byte_at,
            finished_at=trio.current_time(),
        )


@asynccontextmanager
async def open_pooled_lane(
    pool: ConnectionPool,
    origin: Origin,
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    idle_timeout: float = inf,
    limits: ReadLimits | None = None,
) -> AsyncGenerator[Lane, None]:
    """Give a lane to ``method target`` at ``origin``, for the task that opens it.

    ``target``: path and query as they are sent. ``idle_timeout``: seconds of silence after
    which an attempt ends. Raises `ValueError` for headers that cannot be sent safely.
    """
    template = RequestTemplate(method, target, origin, headers.items())
    with MovingDeadline() as timer:
        yield PooledLane(
            pool, origin, template, timer, idle_timeout=idle_timeout, limits=limits or ReadLimits()
        )
