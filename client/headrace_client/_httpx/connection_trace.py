"""Whether an attempt met a stale connection: one that the server had closed while it was idle.

headrace's transport says so in its errors. httpx does not, but its transport reports each step to the
extension ``trace`` of a request (https://www.encode.io/httpcore/extensions/#trace). A transport that reports
nothing is taken to open a connection for each request.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

TRACE: Final = "trace"
_CONNECTING: Final = frozenset({"connection.connect_tcp.started", "connection.connect_unix_socket.started"})
_SENDING: Final = "http11.send_request_headers.started"
_RECEIVED: Final = "http11.receive_response_headers.complete"
_LOST: Final = frozenset({"ReadError", "WriteError"})
_DISCONNECTED: Final = "disconnected"
"""How httpcore and aiohttp report, in a RemoteProtocolError, an end before the response."""


@attrs.define
class ConnectionTrace:
    """The steps of one attempt."""

    opened: bool = False
    sending: bool = False
    received: bool = False

    def note(self, event: str) -> None:
        """Note a step, by httpcore's name for it."""
        if event in _CONNECTING:
            self.opened = True
        elif event == _SENDING:
            self.sending = True
        elif event == _RECEIVED:
            self.received = True

    def is_stale(self, error: BaseException | None) -> bool:
        """Return whether the attempt that ended with this error of httpx met a stale connection."""
        if self.opened or self.received or not self.sending or error is None:
            return False
        name = type(error).__name__
        return name in _LOST or (name == "RemoteProtocolError" and _DISCONNECTED in str(error))


@attrs.define
class SyncConnectionTrace(ConnectionTrace):
    """For a blocking client."""

    def __call__(self, event: str, details: Any) -> None:
        self.note(event)


@attrs.define
class AsyncConnectionTrace(ConnectionTrace):
    """For an asynchronous client, whose trace has to be a coroutine function."""

    async def __call__(self, event: str, details: Any) -> None:
        self.note(event)
