"""The pooled HTTP/1.1 transport on trio.

Names that need trio are imported on first use: the blocking client shares the rules and the errors, but must
not import an event loop.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .errors import (
    AttemptTimedOut,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    ResponseTooLarge,
    TransportError,
)
from .headers import Headers
from .http1 import ReadLimits
from .origin import Origin
from .pool import PoolLimits, PoolStatistics

if TYPE_CHECKING:
    from .connect import Connector, TcpConnector, connect_tcp
    from .connection_pool import ConnectionPool
    from .memory_stream import memory_stream_pair
    from .stream import ByteStream

_ON_TRIO = {
    "ByteStream": "stream",
    "ConnectionPool": "connection_pool",
    "Connector": "connect",
    "TcpConnector": "connect",
    "connect_tcp": "connect",
    "memory_stream_pair": "memory_stream",
}

__all__ = [
    "AttemptTimedOut",
    "ByteStream",
    "ConnectFailed",
    "ConnectionLost",
    "ConnectionPool",
    "Connector",
    "Headers",
    "Origin",
    "PoolLimits",
    "PoolStatistics",
    "ProtocolViolation",
    "ReadLimits",
    "ResponseTooLarge",
    "TcpConnector",
    "TransportError",
    "connect_tcp",
    "memory_stream_pair",
]


def __getattr__(name: str) -> Any:
    """Import the module that defines ``name`` (PEP 562)."""
    if name not in _ON_TRIO:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_ON_TRIO[name]}", __name__), name)
    globals()[name] = value
    return value
