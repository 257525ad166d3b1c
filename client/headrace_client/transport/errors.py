"""What can go wrong in one exchange, as the transport says it (other libraries' errors are mapped to these).

    TransportError
    ├── ConnectFailed        no connection came about: name, TCP, TLS, proxy; nothing was sent
    ├── ConnectionLost       the connection ended before the answer did
    ├── ProtocolViolation    what arrived is no valid HTTP/1.1 response to our request
    ├── ResponseTooLarge     the answer passed one of the limits (head, body, one event)
    └── AttemptTimedOut      the deadline of the attempt, or the idle timeout, passed

Every one says how far the exchange had come, because that decides whether it may be tried
again and whether it may have been billed.
"""

from __future__ import annotations


class TransportError(Exception):
    """One exchange failed below HTTP's status codes.

    ``sent``: the whole request had been handed to the network, so the server may have acted on it.
    ``received``: how many bytes of the response had arrived. ``reused``: the connection had served
    an exchange before.
    """

    def __init__(self, message: str, *, sent: bool = False, received: int = 0, reused: bool = False) -> None:
        super().__init__(message)
        self.sent = sent
        self.received = received
        self.reused = reused

    def __reduce__(self) -> tuple[object, ...]:
        """Make the error picklable, attributes included."""
        return (type(self), self.args, self.__dict__)


class ConnectFailed(TransportError):
    """No connection came about, so nothing was sent."""


class ConnectionLost(TransportError):
    """The connection ended before the answer did."""


class ProtocolViolation(TransportError):
    """What arrived is no valid HTTP/1.1 response to our request."""


class ResponseTooLarge(TransportError):
    """The answer passed one of the limits of the transport."""


class AttemptTimedOut(TransportError):
    """The attempt's deadline passed, or the server was silent for longer than the idle timeout."""
