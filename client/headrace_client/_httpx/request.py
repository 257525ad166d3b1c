"""The request of one attempt: independent of any HTTP library, and as an `httpx.Request`."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from headrace_client._requests.headers import MergedHeaders
from headrace_client.transport.pool import NEW_CONNECTION

from .connection_trace import TRACE, AsyncConnectionTrace, SyncConnectionTrace

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_MAX_CACHED: Final = 256
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_HAVE_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests state their length even if it is 0 (RFC 9110 section 8.6)."""


@attrs.frozen(kw_only=True)
class PreparedRequest:
    """The request of one attempt. The HTTP client that sends it may add defaults of its own."""

    method: str
    url: str
    headers: MergedHeaders
    timeout: Any
    """Seconds, an `httpx.Timeout`, or None."""
    new_connection: bool = False
    asynchronous: bool = False
    """The client is asynchronous."""
    body: Mapping[str, Any]
    """The arguments of `httpx.Request` that make the body; empty for no body."""

    @property
    def is_plain(self) -> bool:
        """Whether the body is complete, as bytes, and its framing is left to the HTTP library."""
        return (
            not self.body.keys() - {"content"}
            and isinstance(self.content, bytes)
            and self.headers.values.keys().isdisjoint(_FRAMING)
        )

    @property
    def content(self) -> Any:
        """The body, unless it is a form."""
        return self.body.get("content", b"")

    @property
    def length(self) -> int | None:
        """The ``content-length`` of a plain body, None to send none."""
        return len(self.content) if self.content or self.method in _HAVE_LENGTH else None

    @property
    def kind(self) -> Hashable:
        """What is equal in requests that differ only in plain body and timeout."""
        return self.method, self.url, self.headers


class BoundedCache(Generic[T]):
    """A few hundred values that are costly to make, by key."""

    def __init__(self) -> None:
        self._values: dict[Hashable, T] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of ``key``, made with ``make`` if it is missing."""
        if key not in self._values:
            if len(self._values) >= _MAX_CACHED:
                self._values.clear()
            self._values[key] = make()
        return self._values[key]


_request_cache: BoundedCache[httpx.Request] = BoundedCache()


def http_request(http_client: Any, prepared: PreparedRequest) -> httpx.Request:
    """Build the request with the HTTP client, which adds its own defaults.

    httpx takes 80 us to parse the URL and merge the headers, and the requests of a client are of few kinds.
    So the result is cached by kind (7 us), unless it depends on cookies or a default query, or the HTTP
    client builds requests in its own way. Raises what the HTTP client raises for a URL or body that cannot
    be sent.
    """
    if http_client.cookies or http_client.params or not (prepared.is_plain and _builds_as_httpx(http_client)):
        return _built(http_client, prepared)
    kind = (http_client.__class__, *http_client.headers.raw, prepared.kind)
    similar = _request_cache.get(kind, lambda: _built(http_client, attrs.evolve(prepared, body={})))
    return _built_from(similar, http_client, prepared)


def _builds_as_httpx(http_client: Any) -> bool:
    return http_client.build_request.__module__ in {"httpx._client", "httpx2._client"}


def _built(http_client: Any, prepared: PreparedRequest) -> httpx.Request:
    request = http_client.build_request(
        method=prepared.method,
        url=prepared.url,
        headers=prepared.headers.sent,
        timeout=_timeout(prepared),
        extensions=_extensions(prepared),
        **prepared.body,
    )
    for name in prepared.headers.omitted & request.headers.keys():
        del request.headers[name]  # a default of the HTTP client
    return request


def _built_from(similar: httpx.Request, http_client: Any, prepared: PreparedRequest) -> httpx.Request:
    """Return a copy of a request that was built before, with another plain body and other extensions."""
    timeout = http_client.timeout.__class__(_timeout(prepared))
    stream: Any = similar.stream.__class__
    request = similar.__class__(
        similar.method,
        similar.url,
        headers=similar.headers,
        stream=stream(prepared.content),
        extensions={**_extensions(prepared), "timeout": timeout.as_dict()},
    )
    if prepared.length:
        request.headers["Content-Length"] = str(prepared.length)
    request.read()
    return request


def _timeout(prepared: PreparedRequest) -> Any:
    from .clients import timeout_arguments  # imports httpx

    return timeout_arguments(prepared.timeout)


def _extensions(prepared: PreparedRequest) -> dict[str, object]:
    """Return the extensions for the transport. A host with underscores gets a server name without them."""
    host = prepared.url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    extensions: dict[str, object] = {"sni_hostname": host.replace("_", "-")} if "_" in host else {}
    if prepared.new_connection:
        extensions[NEW_CONNECTION] = True  # not traced: a request is sent again on a new connection only once
    else:
        extensions[TRACE] = AsyncConnectionTrace() if prepared.asynchronous else SyncConnectionTrace()
    return extensions
