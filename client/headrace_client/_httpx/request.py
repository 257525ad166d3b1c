"""What one attempt sends, in no HTTP library's terms, and as a request of the caller's HTTP client."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import attrs

from headrace_client._requests.headers import MergedHeaders
from headrace_client.transport.pool import NEW_CONNECTION

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_MAX_CACHED: Final = 256
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})
_HAVE_LENGTH: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests tell their length even if that is 0 (RFC 9110 section 8.6)."""


@attrs.frozen(kw_only=True)
class PreparedRequest:
    """One attempt as the client wants it, below which lie the defaults of the HTTP client that sends it."""

    method: str
    url: str
    headers: MergedHeaders
    timeout: Any
    """Seconds, an `httpx.Timeout`, or None."""
    new_connection: bool = False
    body: Mapping[str, Any]
    """The arguments of `httpx.Request` that make the body; none for no body."""

    @property
    def is_plain(self) -> bool:
        """Whether all of the body is there as bytes, and the framing is left to the HTTP library."""
        return (
            not self.body.keys() - {"content"}
            and isinstance(self.content, bytes)
            and self.headers.values.keys().isdisjoint(_FRAMING)
        )

    @property
    def content(self) -> Any:
        """The body, if it is not a form."""
        return self.body.get("content", b"")

    @property
    def length(self) -> int | None:
        """What a plain body's ``content-length`` says, None if there shall be none."""
        return len(self.content) if self.content or self.method in _HAVE_LENGTH else None

    @property
    def kind(self) -> Hashable:
        """What requests have in common that differ in plain body and timeout only."""
        return self.method, self.url, self.headers


class BoundedCache(Generic[T]):
    """A few hundred values that are costly to make, by what they are made of."""

    def __init__(self) -> None:
        self._values: dict[Hashable, T] = {}

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return the value of ``key``, made now if need be."""
        if key not in self._values:
            if len(self._values) >= _MAX_CACHED:
                self._values.clear()
            self._values[key] = make()
        return self._values[key]


_request_cache: BoundedCache[httpx.Request] = BoundedCache()


def http_request(http_client: Any, prepared: PreparedRequest) -> httpx.Request:
    """Build the request with the HTTP client, whose own defaults lie below ours.

    httpx takes 80 us to read a URL and to merge headers, and a client's requests are of few kinds. So what it
    made of them is kept (7 us), unless it goes by cookies, puts a query into the URL, or is not httpx's own
    way to build requests.
    """
    if http_client.cookies or http_client.params or not (prepared.is_plain and _is_httpxs(http_client)):
        return _built(http_client, prepared)
    kind = (http_client.__class__, *http_client.headers.raw, prepared.kind)
    like = _request_cache.get(kind, lambda: _built(http_client, attrs.evolve(prepared, body={})))
    return _built_like(like, http_client, prepared)


def _is_httpxs(http_client: Any) -> bool:
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


def _built_like(like: httpx.Request, http_client: Any, prepared: PreparedRequest) -> httpx.Request:
    """Return a request that differs from one built before in its plain body and its extensions."""
    timeout = http_client.timeout.__class__(_timeout(prepared))
    stream: Any = like.stream.__class__
    request = like.__class__(
        like.method,
        like.url,
        headers=like.headers,
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
    """Return what the transports are told; a host with underscores gets a name that certificates can hold."""
    host = prepared.url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    extensions: dict[str, object] = {"sni_hostname": host.replace("_", "-")} if "_" in host else {}
    return {**extensions, NEW_CONNECTION: True} if prepared.new_connection else extensions
