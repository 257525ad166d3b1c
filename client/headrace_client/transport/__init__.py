"""The pooled HTTP/1.1 transport on trio."""

from __future__ import annotations

from ._connect import Connector, TcpConnector, connect_tcp
from ._connection_pool import ConnectionPool
from ._errors import (
    AttemptTimedOut,
    ConnectFailed,
    ConnectionLost,
    ProtocolViolation,
    ResponseTooLarge,
    TransportError,
)
from ._headers import Headers
from ._http1 import ReadLimits
from ._memory_stream import memory_stream_pair
from ._origin import Origin
from ._pool import PoolLimits, PoolStatistics
from ._stream import ByteStream

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
