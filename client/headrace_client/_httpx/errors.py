"""What the HTTP library raised, in the client's own words.

Classes are recognised by name, so that httpx need not be imported for it and httpx2, its
fork with the same names, is understood as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_client._exceptions import APIConnectionError, APITimeoutError
from headrace_client.transport.errors import AttemptTimedOut, TransportError

if TYPE_CHECKING:
    import httpx

_LIBRARIES = frozenset({"httpx", "httpx2"})


def connection_error(error: Exception, request: httpx.Request) -> APIConnectionError | None:
    """Return what a failed exchange is to the caller; None for a mistake rather than a failure."""
    names = _library_names(error)
    if "TimeoutException" in names or isinstance(error, TimeoutError | AttemptTimedOut):
        wrapped: APIConnectionError = APITimeoutError(request)
    elif "RequestError" in names or isinstance(error, OSError | TransportError):
        wrapped = APIConnectionError(request=request)
    else:
        return None
    wrapped.__cause__ = error
    return wrapped


def _library_names(error: Exception) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__ if cls.__module__.partition(".")[0] in _LIBRARIES}
