"""One HTTP exchange of the simulator: what came, and the ways to answer it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import trio

from ._api import Api, RawHeaders, Rejection
from ._asgi import Receive, Scope, Send, part, start
from ._buckets import Quota
from ._log import LogRecord, RequestLog
from ._profile import Profile
from ._text import Draw

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
HTML: Header = (b"content-type", b"text/html")
EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")


@attrs.define(kw_only=True)
class Call:
    """One request and its answer. ``epoch``: the wall time at zero of trio's clock.

    ``quota``: the buckets that bind the request, once they are known: they are told in the headers.
    """

    scope: Scope
    receive: Receive
    send: Send
    headers: Mapping[bytes, bytes]
    body: bytes
    profile: Profile
    api: Api
    draw: Draw
    epoch: float
    record: LogRecord
    log: RequestLog
    quota: Quota | None = None
    _concluded: bool = attrs.field(default=False, init=False)

    async def start(self, status: int, *headers: Header) -> None:
        """Begin an answer; it carries the request's name and the rate-limit headers."""
        await start(self.send, status, [*headers, *self._own_headers()])
        self.record.status = status

    async def part(self, body: bytes, *, last: bool = False) -> None:
        """Send a piece of the answer's body; the record is written before the last one leaves.

        So whoever has an answer finds it in the log.
        """
        if last:
            self.record.finished = True
            self.conclude()
        await part(self.send, body, last=last)

    async def respond(self, status: int, body: bytes, *extra: Header, kind: Header = JSON) -> None:
        """Send a whole answer."""
        await self.start(status, kind, (b"content-length", b"%d" % len(body)), *extra)
        await self.part(body, last=True)

    async def refuse(self, rejection: Rejection) -> None:
        """Send an error in the dialect of the request."""
        extra: RawHeaders = []
        if rejection.retry_after is not None and self.profile.retry_after:
            extra.append((b"retry-after", b"%d" % max(1, math.ceil(rejection.retry_after))))
        if rejection.allow is not None:
            extra.append((b"allow", rejection.allow.encode()))
        body = self.api.error(rejection, self._request_id)
        await self.respond(rejection.status, body, *extra)

    async def cut(self, body: bytes, size: int) -> None:
        """Announce a whole answer and send only its first ``size`` bytes."""
        await self.start(200, JSON, (b"content-length", b"%d" % len(body)))
        await self.part(body[:size])

    async def reset(self) -> None:
        """Have the connection closed without an answer.

        Our own adapter holds back a head that no body follows; hypercorn sends it at once, and an
        informational one is the least that it accepts.
        """
        await start(self.send, 102, [])

    def conclude(self) -> None:
        """Write the record; more than once is allowed."""
        if not self._concluded:
            self._concluded = True
            self.log.add(self.record)

    @property
    def _request_id(self) -> str:
        return f"req_{self.draw.name}"

    def _own_headers(self) -> RawHeaders:
        named = self.api.id_header(self._request_id)
        if self.quota is None or not self.profile.rate_limit_headers:
            return [named]
        now = trio.current_time()
        return [named, *self.api.limit_headers(self.quota, now, self.epoch + now)]
