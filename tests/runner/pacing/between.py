"""What can lie between a client and the simulator: distance, overload, other users of the limit."""

from __future__ import annotations

import math

import attrs
import trio

from headrace.simulator._asgi import App, Message, Receive, Scope, Send


@attrs.frozen
class Distant:
    """A server at a distance: every request, refused or not, takes ``seconds`` to reach it."""

    seconds: float
    app: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Delay a request, then pass it on."""
        await trio.sleep(self.seconds)
        await self.app(scope, receive, send)


@attrs.define
class Busy:
    """A server that handles one request at a time, each for ``seconds``."""

    seconds: float
    app: App
    _free_at: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when its turn has come."""
        self._free_at = max(self._free_at, trio.current_time()) + self.seconds
        await trio.sleep_until(self._free_at)
        await self.app(scope, receive, send)


@attrs.define
class UsedUp:
    """A server on which others have used up one model's limit until ``until``: 429 with a Retry-After."""

    model: str
    until: float
    app: App
    refused: int = 0
    in_flight: int = 0
    """Requests that have arrived and have no response yet."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse the requests of the model and pass the others on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        self.in_flight += 1
        try:
            body = await receive()
            if trio.current_time() < self.until and f'"{self.model}"'.encode() in body["body"]:
                await self._refuse(send)
            else:
                await self.app(scope, _again(body, receive), send)
        finally:
            self.in_flight -= 1

    async def _refuse(self, send: Send) -> None:
        self.refused += 1
        wait = b"%d" % math.ceil(self.until - trio.current_time())
        headers = [(b"content-type", b"application/json"), (b"retry-after", wait)]
        await send({"type": "http.response.start", "status": 429, "headers": headers})
        error = b'{"type":"error","error":{"type":"rate_limit_error","message":"no"}}'
        await send({"type": "http.response.body", "body": error})


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `Receive` that gives this message first, then those that follow."""
    given = False

    async def receive_again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return message

    return receive_again
