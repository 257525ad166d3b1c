"""The HTTP clients that are used when the caller brings none, also for callers to adapt.

They differ from plain httpx clients in their defaults (timeout 600 s, 1000 connections, redirects),
in TCP keep-alive on every connection, proxies included (an answer may take minutes, and NAT
tables forget silent connections sooner), and in that all share one TLS context: loading the
certificates takes some 20 ms. The asynchronous one picks its transport at its first request.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

import httpx
from sniffio import current_async_library

from .proxies import environment_proxies

Timeout = httpx.Timeout
DEFAULT_TIMEOUT = httpx.Timeout(600, connect=5.0)
DEFAULT_CONNECTION_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=100)

Transport = TypeVar("Transport", httpx.BaseTransport, httpx.AsyncBaseTransport)

_TRANSPORT_ARGUMENTS = ("verify", "cert", "trust_env", "http1", "http2", "limits")


def keepalive_options() -> list[tuple[int, int, int | bool]]:
    """Return socket options that probe a silent connection every 60 s and give it up after five misses."""
    options: list[tuple[int, int, int | bool]] = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, True)]
    idle = "TCP_KEEPALIVE" if sys.platform == "darwin" else "TCP_KEEPIDLE"
    for name, value in (("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5), (idle, 60)):
        if (option := getattr(socket, name, None)) is not None:
            options.append((socket.IPPROTO_TCP, option, value))
    return options


@cache
def _tls_context(cert_file: str | None, cert_dir: str | None) -> ssl.SSLContext:  # noqa: ARG001  # the cache's key
    return httpx.create_ssl_context()


def shared_tls_context() -> ssl.SSLContext:
    """Return the process's TLS context for the certificates that the environment names."""
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def _with_defaults(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timeout": DEFAULT_TIMEOUT,
        "limits": DEFAULT_CONNECTION_LIMITS,
        "follow_redirects": True,
        **kwargs,
    }


def _is_plain(kwargs: Mapping[str, Any]) -> bool:
    """Tell whether nothing was said about TLS and the version of HTTP, so that what all share will do."""
    return (
        kwargs.get("verify", True) is True
        and not kwargs.get("cert")
        and kwargs.get("trust_env", True)
        and kwargs.get("http1", True)
        and not kwargs.get("http2")  # httpcore would offer it in the shared context itself
    )


def _transport_arguments(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    arguments = {name: kwargs[name] for name in _TRANSPORT_ARGUMENTS if name in kwargs}
    if _is_plain(kwargs):
        arguments["verify"] = shared_tls_context()
    return {**arguments, "socket_options": keepalive_options()}


def _own_transport(limits: httpx.Limits) -> httpx.AsyncBaseTransport:
    """Return this package's transport, which runs on trio and speaks HTTP/1.1."""
    from headrace_client.transport import ConnectionPool, PoolLimits  # they import trio

    from .transport import HttpxTransport

    settings: dict[str, Any] = {"max_connections": limits.max_connections}
    if limits.keepalive_expiry is not None:
        settings["idle_expiry"] = limits.keepalive_expiry
    return HttpxTransport(ConnectionPool(limits=PoolLimits(**settings)))


def _mounts(
    kwargs: Mapping[str, Any], proxy: object, make: Callable[[str], Transport]
) -> dict[str, Transport | None]:
    """Return the caller's mounts over those for the proxies of the environment, where it counts."""
    mounts: dict[str, Transport | None] = {}
    if proxy is None and kwargs.get("trust_env", True):
        proxies = environment_proxies()
        mounts = {pattern: None if url is None else make(url) for pattern, url in proxies.items()}
    return {**mounts, **(kwargs.get("mounts") or {})}


class DefaultHttpxClient(httpx.Client):
    """The synchronous HTTP client with this package's defaults; takes what `httpx.Client` takes."""

    def __init__(
        self,
        *,
        proxy: str | httpx.Proxy | None = None,
        transport: httpx.BaseTransport | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs = _with_defaults(kwargs)
        if transport is not None:
            super().__init__(proxy=proxy, transport=transport, **kwargs)
            return
        arguments = _transport_arguments(kwargs)
        mounts = _mounts(kwargs, proxy, lambda url: httpx.HTTPTransport(proxy=url, **arguments))
        transport = httpx.HTTPTransport(proxy=proxy, **arguments)
        kwargs["mounts"] = mounts
        super().__init__(transport=transport, **kwargs)


def _choose_later(proxy: str | httpx.Proxy | None, kwargs: Mapping[str, Any]) -> LibraryTransport:
    """Return an asynchronous client's transport: ours on trio, unless it needs what ours does not have."""

    def make(library: str) -> httpx.AsyncBaseTransport:
        if library == "trio" and proxy is None and _is_plain(kwargs):
            return _own_transport(kwargs["limits"])
        return httpx.AsyncHTTPTransport(proxy=proxy, **_transport_arguments(kwargs))

    return LibraryTransport(make)


class _Cookies(httpx.Cookies):
    """Cookies that read a response only if it sets some: httpx builds requests of urllib for it (50 us)."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Take in the cookies that the response sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response)


class DefaultAsyncHttpxClient(httpx.AsyncClient):
    """The asynchronous HTTP client with this package's defaults; takes what `httpx.AsyncClient` takes."""

    def __init__(
        self,
        *,
        proxy: str | httpx.Proxy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs = _with_defaults(kwargs)
        if transport is None:
            transport = _choose_later(proxy, kwargs)
            kwargs["mounts"] = _mounts(
                kwargs, proxy, lambda url: httpx.AsyncHTTPTransport(proxy=url, **_transport_arguments(kwargs))
            )
            proxy = None
        super().__init__(proxy=proxy, transport=transport, **kwargs)
        self.cookies = self._cookies

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies that are kept for further requests."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._cookies = _Cookies(cookies)


class DefaultAioHttpClient(httpx.AsyncClient):
    """An HTTP client that sends through aiohttp, on asyncio only, with this package's defaults.

    Takes what `httpx.AsyncClient` takes; aiohttp speaks HTTP/1.1 only. Raises `RuntimeError` unless the extra
    ``aiohttp`` is installed.
    """

    def __init__(self, *, proxy: str | httpx.Proxy | None = None, **kwargs: Any) -> None:
        try:
            from .aiohttp import AiohttpTransport  # needs the extra
        except ImportError:
            raise RuntimeError(
                "To use the aiohttp client you must have installed the package with the `aiohttp` extra"
            ) from None
        kwargs = _with_defaults(kwargs)
        if kwargs.get("transport") is None:
            proxy = httpx.Proxy(proxy) if isinstance(proxy, str) else proxy
            kwargs["transport"] = AiohttpTransport(proxy=proxy, **_transport_arguments(kwargs))
        super().__init__(**kwargs)


class LibraryTransport(httpx.AsyncBaseTransport):
    """A transport made at the first request, when it is known whether ``"trio"`` or ``"asyncio"`` runs.

    Connections belong to the event loop that opened them, so requests under the other
    library are refused with a `RuntimeError`.
    """

    def __init__(self, make: Callable[[str], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self.library: str | None = None
        self._transport: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request by the transport that fits the running event loop."""
        return await self.chosen().handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport, if there ever was one."""
        if self._transport is not None:
            await self._transport.aclose()

    def chosen(self) -> httpx.AsyncBaseTransport:
        """Return the transport that fits the running event loop; `RuntimeError` if it has served another."""
        library = current_async_library()
        if self._transport is None:
            self.library, self._transport = library, self._make(library)
        if library != self.library:
            raise RuntimeError(
                f"This client has made requests under {self.library}, so it cannot be used under {library}; "
                "make one client for each event loop."
            )
        return self._transport


class OwnHttpxClient(DefaultHttpxClient):
    """The client that an API client makes for itself: it is closed when nothing refers to it any more."""

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be shutting down
            self.close()


class OwnAsyncHttpxClient(DefaultAsyncHttpxClient):
    """The asynchronous twin: under a running asyncio loop a task closes it; nothing can elsewhere."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(transport=transport)
        self._headers_at_first = self.headers.raw

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The transport that serves the running event loop. Raises `RuntimeError` when it serves another."""
        transport = self._transport
        return transport.chosen() if isinstance(transport, LibraryTransport) else transport

    @property
    def is_changed(self) -> bool:
        """Whether it does more to requests than send them by its transport with its cookies."""
        return bool(
            self._mounts
            or self.auth
            or self.params
            or any(self.event_hooks.values())
            or self.headers.raw != self._headers_at_first
        )

    def __del__(self) -> None:
        transport = self._transport
        on_trio = isinstance(transport, LibraryTransport) and transport.library == "trio"
        if not self.is_closed and not on_trio:
            with contextlib.suppress(Exception):
                asyncio.get_running_loop().create_task(self.aclose())


def timeout_arguments(timeout: Any) -> Any:
    """Return a timeout as httpx and its fork alike take it: a `Timeout` as its four parts."""
    if isinstance(timeout, httpx.Timeout):
        return (timeout.connect, timeout.read, timeout.write, timeout.pool)
    return timeout
