"""One HTTP exchange of the simulator: the request, and the ways to respond to it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs
import trio

from ._api import Api, RawHeaders, Rejection
from ._asgi import Receive, Scope, Send, send_body, send_start
from ._buckets import Quota
from ._draw import Draw
from ._log import LogRecord, RequestLog
from ._profile import Profile

Header = tuple[bytes, bytes]

JSON: Header = (b"content-type", b"application/json")
HTML: Header = (b"content-type", b"text/html")
EVENTS: Header = (b"content-type", b"text/event-stream; charset=utf-8")


@attrs.define(kw_only=True)
class Call:
    """One request and its response.

    ``epoch``: the wall time at zero of trio's clock, in seconds since 1970. ``quota``: the buckets of the
    request's model, once they are known; the response headers report them.
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
    _logged: bool = attrs.field(default=False, init=False)

    async def send_start(self, status: int, *headers: Header) -> None:
        """Send the status and the headers, including the request id and the rate limits."""
        await send_start(self.send, status, [*headers, *self._common_headers()])
        self.record.status = status

    async def send_body(self, body: bytes, *, last: bool = False) -> None:
        """Send a part of the body.

        The request is logged before the last part leaves: a client that has its response finds it in the log.
        """
        if last:
            self.record.finished = True
            self.write_log()
        await send_body(self.send, body, last=last)

    async def respond(self, status: int, body: bytes, *headers: Header, content_type: Header = JSON) -> None:
        """Send a complete response."""
        await self.send_start(status, content_type, (b"content-length", b"%d" % len(body)), *headers)
        await self.send_body(body, last=True)

    async def reject(self, rejection: Rejection) -> None:
        """Send an error in the format of the request's API."""
        headers: RawHeaders = []
        if rejection.retry_after is not None and self.profile.retry_after:
            headers.append((b"retry-after", b"%d" % max(1, math.ceil(rejection.retry_after))))
        if rejection.allow is not None:
            headers.append((b"allow", rejection.allow.encode()))
        body = self.api.encode_error(rejection, self._request_id)
        await self.respond(rejection.status, body, *headers)

    async def send_truncated(self, body: bytes, size: int) -> None:
        """Announce the complete body and send only its first ``size`` bytes."""
        await self.send_start(200, JSON, (b"content-length", b"%d" % len(body)))
        await self.send_body(body[:size])

    async def reset(self) -> None:
        """Have the connection closed without a response.

        Our own server holds back a head until a part of its body follows. hypercorn sends it at once, and the
        least that it accepts is an informational one.
        """
        await send_start(self.send, 102, [])

    def write_log(self) -> None:
        """Log the request, unless that is done."""
        if not self._logged:
            self._logged = True
            self.log.add(self.record)

    @property
    def _request_id(self) -> str:
        return f"req_{self.draw.id}"

    def _common_headers(self) -> RawHeaders:
        request_id = self.api.request_id_header(self._request_id)
        if self.quota is None or not self.profile.rate_limit_headers:
            return [request_id]
        now = trio.current_time()
        return [request_id, *self.api.rate_limit_headers(self.quota, now, self.epoch + now)]
