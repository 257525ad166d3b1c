"""The errors of one exchange. Errors of other libraries are mapped to these.

    TransportError
    ├── ConnectFailed        no connection: name lookup, TCP, TLS or proxy failed; nothing was sent
    ├── ConnectionLost       the connection ended before the response did
    ├── ProtocolViolation    the response is not valid HTTP/1.1
    ├── ResponseTooLarge     the response exceeded a limit (head, body, one event)
    └── AttemptTimedOut      the deadline of the attempt, or the idle timeout, passed

Each error says how far the exchange had progressed. This decides whether to retry it, and whether it may
have been billed.
"""

from __future__ import annotations

from typing import Any


class TransportError(Exception):
    """One exchange failed without a status.

    ``sent``: the whole request had been passed to the network, so the server may have acted on it.
    ``received``: how many bytes of the response had arrived. ``reused``: the connection had been used for an
    earlier exchange. ``partial``: what had come of a 2xx response, as far as its body could be decoded; None
    before the first byte of the body.
    """

    partial: Any = None  # a Response, whose module imports this one

    def __init__(self, message: str, *, sent: bool = False, received: int = 0, reused: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.received = received
        self.reused = reused

    @property
    def stale(self) -> bool:
        """Whether the server had closed the idle connection on which the request was sent.

        This says nothing about the request or about the state of the server, so the request may be sent again
        at once, on a new connection (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1).
        """
        return False

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle the error with its attributes."""
        return (type(self), self.args, self.__dict__)


class ConnectFailed(TransportError):
    """No connection could be opened, so nothing was sent."""


class ConnectionLost(TransportError):
    """The connection ended before the response did."""

    @property
    def stale(self) -> bool:
        return self.reused and not self.received


class ProtocolViolation(TransportError):
    """The response is not valid HTTP/1.1."""


class ResponseTooLarge(TransportError):
    """The response exceeded one of the transport's limits."""


class AttemptTimedOut(TransportError):
    """The attempt's deadline passed, or the server was silent for longer than the idle timeout."""
