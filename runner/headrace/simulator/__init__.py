"""A simulated provider: token bucket rate limits, latency, prompt caching and faults, all from one seed.

`serve` serves a `Simulator` on a port of this machine. `in_memory_connector` connects a connection pool to
it without a network, so that a whole program can run in virtual time.
"""

from ._connection import in_memory_connector, serve_connection
from ._log import LogRecord, RequestLog
from ._profile import FAULT_KINDS, BucketLimit, FaultKind, Profile, ProviderLimits, Ramp, Schedule
from ._server import serve
from ._simulator import Simulator
from ._text import body_digest, messages_digest

__all__ = [
    "FAULT_KINDS",
    "BucketLimit",
    "FaultKind",
    "LogRecord",
    "Profile",
    "ProviderLimits",
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
