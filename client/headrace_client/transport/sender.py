"""The sender: exactly one attempt at one request, and its outcome.

A sender never sleeps, retries or redirects. Its owner decides with its own policy what to do about a
`Response` or a `TransportError`.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from math import inf
from typing import Final, Protocol

import msgspec
import trio

from headrace_client.transport import (
    AttemptTimedOut,
    ConnectionPool,
    Headers,
    Origin,
    ReadLimits,
    TransportError,
)
from headrace_client.transport.connection_pool import Connection
from headrace_client.transport.exchange import Exchange, OnData
from headrace_client.transport.http1_request import RequestTemplate

_REQUEST_ID: Final = re.compile(rb"\r\nrequest-id:[ \t]*([^\r]*)", re.IGNORECASE)
_X_REQUEST_ID: Final = re.compile(rb"\r\nx-request-id:[ \t]*([^\r]*)", re.IGNORECASE)


class Response(msgspec.Struct, kw_only=True, gc=False, eq=False):
    """A whole response, whatever its status. Times are in seconds, on the event loop's clock.

    ``sent``: the whole request was sent before the response was complete (False after an early 4xx). It is a
    Struct, which takes a tenth of the time of a class, because there is one per job.
    """

    status: int
    head: bytes
    """The raw head: status line and header lines, as received."""
    body: bytes
    """The body, without transfer and content codings."""
    sent: bool = True
    started_at: float
    first_byte_at: float
    finished_at: float
    _headers: Headers | None = None

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields by case-insensitive name, parsed on first use."""
        if self._headers is None:
            self._headers = Headers.parse(self.head)
        return self._headers

    @property
    def request_id(self) -> str | None:
        """The provider's id of this attempt (``request-id``, ``x-request-id``)."""
        # Searched for: parsing all headers of every response would cost as much as sending a job (7 us).
        found = _REQUEST_ID.search(self.head) or _X_REQUEST_ID.search(self.head)
        return found[1].rstrip(b" \t").decode("latin-1") or None if found else None


class Sender(Protocol):
    """Sends one worker's requests to one endpoint: method, path and headers are fixed, only bodies vary."""

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        ...

    async def send(
        self,
        body: bytes,
        *,
        retries_taken: int = 0,
        deadline: float = inf,
        on_data: OnData | None = None,
        new_connection: bool = False,
    ) -> Response:
        """Make one attempt and return the whole response.

        ``retries_taken``: attempts already made (reported to the server). ``deadline``: in seconds, on the
        event loop's clock. ``on_data``: called with each part of the decoded body of a 2xx response as it
        arrives; the body is collected as well. If it returns True, the response is returned as it is then,
        and its connection is closed unless it ends at once. ``new_connection``: use no idle connection,
        because the previous attempt met a stale one (`TransportError.stale`).

        Raises `TransportError`. A cancelled or failed exchange closes its connection.
        """
        ...


class PooledSender:
    """A sender over a `ConnectionPool`. This is the hot path, where every call and clock read counts."""

    def __init__(
        self,
        pool: ConnectionPool,
        origin: Origin,
        template: RequestTemplate,
        *,
        idle_timeout: float,
        limits: ReadLimits,
    ) -> None:
        self._pool = pool
        self._origin = origin
        self._template = template
        self._idle_timeout = idle_timeout
        self._limits = limits

    @property
    def url(self) -> str:
        """The URL of the endpoint."""
        return f"{self._origin}{self._template.target}"

    async def send(
        self,
        body: bytes,
        *,
        retries_taken: int = 0,
        deadline: float = inf,
        on_data: OnData | None = None,
        new_connection: bool = False,
    ) -> Response:
        """Make one attempt and return the whole response; see `Sender.send`. Raises `TransportError`."""
        pool = self._pool
        await trio.lowlevel.checkpoint_if_cancelled()  # a cancelled task sends nothing
        now = started_at = trio.current_time()
        if deadline <= now:
            raise AttemptTimedOut("the deadline had passed before the attempt began")
        connection = None if new_connection else pool.take_nowait(self._origin, now)
        if connection is None:
            connection = await self._acquire(deadline, new=new_connection)
            now = trio.current_time()
        reader = connection.reader
        reader.begin(self._limits, bodiless=self._template.bodiless)
        exchange = Exchange(
            connection, now=now, deadline=deadline, idle_timeout=self._idle_timeout, on_data=on_data
        )
        request = self._template.render(body, retries_taken)
        watchdog = pool.watchdog
        try:
            if watchdog.running:
                watchdog.guard(exchange)
                await exchange.run(request)
            else:
                await exchange.run_in_scope(request)
        except BaseException as error:
            pool.discard(connection)
            if isinstance(error, TransportError):
                exchange.explain(error)
                if exchange.parts and 200 <= reader.status < 300:
                    error.partial = _response(exchange, started_at)
            raise
        finally:
            watchdog.release(exchange)
        if exchange.sent and not exchange.late:
            pool.release(connection, exchange.finished_at)
        else:
            pool.discard(connection)
        return _response(exchange, started_at)

    async def _acquire(self, deadline: float, *, new: bool) -> Connection:
        with trio.move_on_at(deadline):
            return await self._pool.acquire(self._origin, new=new)
        raise AttemptTimedOut("the deadline passed before there was a connection")


def _response(exchange: Exchange, started_at: float) -> Response:
    reader, parts = exchange.connection.reader, exchange.parts
    return Response(
        status=reader.status,
        head=reader.head or b"",
        body=parts[0] if len(parts) == 1 else b"".join(parts),
        sent=exchange.sent,
        started_at=started_at,
        first_byte_at=exchange.first_byte_at,
        finished_at=exchange.finished_at,
    )


@asynccontextmanager
async def open_pooled_sender(
    pool: ConnectionPool,
    origin: Origin,
    method: str,
    target: str,
    headers: Mapping[str, str],
    *,
    idle_timeout: float = inf,
    limits: ReadLimits | None = None,
) -> AsyncGenerator[Sender, None]:
    """Open a sender of ``method`` requests to ``target`` at ``origin``, for the task that opens it.

    ``target``: path and query as they are sent. ``idle_timeout``: an attempt fails after this many seconds
    without data. Raises `ValueError` for headers that cannot be sent safely.
    """
    template = RequestTemplate(method, target, origin, headers.items())
    yield PooledSender(pool, origin, template, idle_timeout=idle_timeout, limits=limits or ReadLimits())
