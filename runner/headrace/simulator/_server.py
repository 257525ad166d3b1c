"""Serves an ASGI application on a real port, with hypercorn's trio worker."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import trio

from ._asgi import App

_BACKLOG = 4_096  # a client may open all its connections at once
_KEEP_ALIVE = 75.0  # seconds; nginx's default
_GRACE = 3.0  # seconds that open requests get when the server stops
_MAX_HEAD = 256 * 1024  # bytes


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


async def serve(
    app: App,
    host: str = "127.0.0.1",
    port: int = 8787,
    *,
    until: Callable[[], Awaitable[None]] | None = None,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the application until ``until`` returns (default: never), then give open requests 3 s to finish.

    ``port`` 0 takes a free one. ``nursery.start`` returns the bound port. Raises `OSError` if the address
    cannot be bound.
    """
    # hypercorn takes long to import, and only this function needs it
    from hypercorn.config import Config

    # a part of its signature is untyped
    from hypercorn.trio import serve as serve_hypercorn  # pyright: ignore[reportUnknownVariableType]

    listener = _listen(host, port)  # here and not in hypercorn, whose nurseries would wrap the error
    task_status.started(listener.getsockname()[1])
    config = Config()
    config.bind = [f"fd://{listener.detach()}"]
    config.keep_alive_timeout = _KEEP_ALIVE
    config.keep_alive_max_requests = 2**63
    config.h11_max_incomplete_size = _MAX_HEAD
    config.graceful_timeout = _GRACE
    config.include_server_header = False
    config.loglevel = "WARNING"
    # hypercorn's type of an application is narrower than what it serves: its messages are TypedDicts
    await serve_hypercorn(app, config, mode="asgi", shutdown_trigger=until)  # pyright: ignore[reportArgumentType]
