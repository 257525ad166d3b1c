"""The part of ASGI 3 that the simulator uses: types, reading a request body, sending a response."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Disconnected(Exception):
    """The client disconnected before its request was complete."""


class BodyTooLarge(Exception):
    """The request body exceeds the limit."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the request body. Raises `Disconnected`, and `BodyTooLarge` beyond ``limit`` bytes."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > limit:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return b"".join(parts)


async def wait_disconnected(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def send_start(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the status and the headers of a response."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def send_body(send: Send, body: bytes, *, last: bool = False) -> None:
    """Send a part of a response body."""
    await send({"type": "http.response.body", "body": body, "more_body": not last})


async def serve_lifespan(receive: Receive, send: Send) -> None:
    """Serve the lifespan protocol: there is nothing to set up or tear down."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
