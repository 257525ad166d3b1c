"""Errors of the HTTP library, translated to the client's.

Classes are recognized by name, so httpx does not have to be imported, and its fork httpx2, with the same
names, works as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from headrace_client._exceptions import APIConnectionError, APITimeoutError
from headrace_client._requests.uploaded_file import BodyConsumed
from headrace_client.transport.errors import AttemptTimedOut, TransportError

if TYPE_CHECKING:
    import httpx

_LIBRARIES = frozenset({"httpx", "httpx2"})


def connection_error(error: Exception, request: httpx.Request) -> APIConnectionError | None:
    """Return the error for the caller after a failed exchange, or None if the program itself is at fault."""
    names = _library_names(error)
    if "TimeoutException" in names or isinstance(error, TimeoutError | AttemptTimedOut):
        wrapped: APIConnectionError = APITimeoutError(request)
    elif "RequestError" in names or isinstance(error, OSError | TransportError | BodyConsumed):
        wrapped = APIConnectionError(request=request)
    elif "InvalidURL" in names:  # of a redirect, which httpx looks at even if it does not follow it
        wrapped = APIConnectionError(message="The server redirects to what is not a URL.", request=request)
    else:
        return None
    wrapped.__cause__ = error
    return wrapped


def _library_names(error: Exception) -> set[str]:
    return {cls.__name__ for cls in type(error).__mro__ if cls.__module__.partition(".")[0] in _LIBRARIES}
