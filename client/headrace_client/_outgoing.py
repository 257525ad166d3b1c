"""What one attempt sends, in no HTTP library's terms, and as a request of the caller's HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ._request import MergedHeaders

if TYPE_CHECKING:
    import httpx


@attrs.frozen(kw_only=True)
class Outgoing:
    """One attempt as the client wants it, below which lie the defaults of the HTTP client that sends it."""

    method: str
    url: str
    headers: MergedHeaders
    timeout: Any
    """Seconds, an `httpx.Timeout`, or None."""
    body: Mapping[str, Any]
    """The arguments of `httpx.Request` that make the body; none for no body."""


def http_request(http_client: Any, outgoing: Outgoing) -> httpx.Request:
    """Build the request with the HTTP client, whose own defaults lie below ours."""
    from ._http_clients import timeout_arguments  # imports httpx

    request = http_client.build_request(
        method=outgoing.method,
        url=outgoing.url,
        headers=outgoing.headers.sent,
        timeout=timeout_arguments(outgoing.timeout),
        extensions=_extensions(outgoing.url),
        **outgoing.body,
    )
    for name in outgoing.headers.omitted & request.headers.keys():
        del request.headers[name]  # a default of the HTTP client
    return request


def _extensions(url: str) -> dict[str, object]:
    """Name a host with underscores in the TLS handshake by one that certificates can hold."""
    host = url.partition("://")[2].partition("/")[0].rpartition("@")[2].partition(":")[0]
    return {"sni_hostname": host.replace("_", "-")} if "_" in host else {}
