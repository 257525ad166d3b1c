"""A provider's API in a box: true token buckets, latency, prompt caching and faults, all from one seed.

Serve a `Simulator` on loopback with `serve`, or lead a connection pool to it in memory with
`in_memory_connector`: then the whole program runs under virtual time.
"""

from ._app import Simulator
from ._connection import in_memory_connector, serve_connection
from ._log import LogRecord, RequestLog
from ._profile import FAULT_KINDS, FaultKind, Limit, Limits, Profile, Ramp, Schedule
from ._server import serve
from ._text import body_digest, messages_digest

__all__ = [
    "FAULT_KINDS",
    "FaultKind",
    "Limit",
    "Limits",
    "LogRecord",
    "Profile",
    "Ramp",
    "RequestLog",
    "Schedule",
    "Simulator",
    "body_digest",
    "in_memory_connector",
    "messages_digest",
    "serve",
    "serve_connection",
]
