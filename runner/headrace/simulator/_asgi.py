"""As much of ASGI 3 as the simulator speaks: its types, and how to read a body and send an answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Disconnected(Exception):
    """The client left before its request was whole."""


class BodyTooLarge(Exception):
    """The request's body passed the limit."""


async def read_body(receive: Receive, limit: int) -> bytes:
    """Return the request's body. Raises `Disconnected`, `BodyTooLarge`."""
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
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def start(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Send the head of an answer."""
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def part(send: Send, body: bytes, *, last: bool = False) -> None:
    """Send a piece of an answer's body."""
    await send({"type": "http.response.body", "body": body, "more_body": not last})


async def live(receive: Receive, send: Send) -> None:
    """Serve the lifespan protocol: there is nothing to set up or tear down."""
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
