"""What may lie between a client and the simulator: a long way, or a machine that has too much to do."""

from __future__ import annotations

import attrs
import trio

from headrace.simulator._asgi import App, Receive, Scope, Send


@attrs.frozen
class Distant:
    """A server at a distance: every request, refused or not, takes ``seconds`` to get there."""

    seconds: float
    app: App

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through."""
        await trio.sleep(self.seconds)
        await self.app(scope, receive, send)


@attrs.define
class Busy:
    """A server that takes up one request after the other, each for ``seconds``."""

    seconds: float
    app: App
    _free_at: float = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take up a request when it is its turn."""
        self._free_at = max(self._free_at, trio.current_time()) + self.seconds
        await trio.sleep_until(self._free_at)
        await self.app(scope, receive, send)
