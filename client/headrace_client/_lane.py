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
from headrace_client.transport._http1_request import RequestTemplate


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
    """A lane over a `ConnectionPool`: the hot path, where each call and each clock read is counted."""

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
        timer = self._timer
        if not timer.is_innermost():
            return await self._send_elsewhere(body, taken, deadline, on_data)
        await trio.lowlevel.checkpoint_if_cancelled()  # a cancelled task sends nothing
        started_at = trio.current_time()
        if deadline <= started_at:
            raise AttemptTimedOut("the deadline had passed before the attempt began")
        exchange: Exchange | None = None
        timer.arm(min(deadline, started_at + self._idle_timeout))
        try:
            connection = self._pool.take_nowait(self._origin, started_at)
            if connection is None:
                connection = await self._pool.acquire(self._origin)
            connection.reader.begin(self._limits, bodiless=self._template.bodiless)
            exchange = Exchange(
                connection, timer, deadline=deadline, idle_timeout=self._idle_timeout, on_data=on_data
            )
            rest = exchange.send_nowait(self._template.render(body, taken))
            if rest:
                await exchange.send_and_read(rest)
            else:
                await exchange.read()
        except BaseException as error:
            self._fail(error, timer, exchange, deadline)
            raise
        finally:
            timer.disarm()
        if exchange.sent:
            self._pool.release(connection, exchange.finished_at)
        else:
            self._pool.discard(connection)
        reader, parts = connection.reader, exchange.parts
        return Answer(
            status=reader.status,
            head=reader.head or b"",
            body=parts[0] if len(parts) == 1 else b"".join(parts),
            sent=exchange.sent,
            started_at=started_at,
            first_byte_at=exchange.first_byte_at,
            finished_at=exchange.finished_at,
        )

    async def _send_elsewhere(
        self, body: bytes, taken: int, deadline: float, on_data: Callable[[bytes], None] | None
    ) -> Answer:
        """Make the attempt from another task, or within another scope, than the lane's timer is for."""
        with MovingDeadline() as timer:
            lane = PooledLane(
                self._pool,
                self._origin,
                self._template,
                timer,
                idle_timeout=self._idle_timeout,
                limits=self._limits,
            )
            return await lane.send(body, taken=taken, deadline=deadline, on_data=on_data)

    def _fail(
        self, error: BaseException, timer: MovingDeadline, exchange: Exchange | None, deadline: float
    ) -> None:
        """Close the connection of a failed or cancelled exchange; raise `AttemptTimedOut` if time was up."""
        if exchange is not None:
            self._pool.discard(exchange.connection)
        failure = error if isinstance(error, TransportError) else None
        if timer.absorb(error):
            late = trio.current_time() >= deadline
            silence = f"the server was silent for {self._idle_timeout:g} s"
            failure = AttemptTimedOut("the deadline passed" if late else silence)
        if failure is not None and exchange is not None:
            exchange.explain(failure)
        if failure is not None and failure is not error:
            raise failure from None


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
