"""The HTTP clients that an API client uses by default, and that callers may adapt.

Compared to plain httpx clients, they have other defaults (timeout 600 s, 1000 connections, redirects), TCP
keep-alive on every connection, those to proxies included (a response may take minutes, and NAT tables drop
silent connections sooner), and one TLS context for all (loading the certificates takes about 20 ms). The
asynchronous client chooses its transport at its first request.
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
    """Return socket options that probe a silent connection every 60 s and close it after five misses."""
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
    """Return the TLS context of this process, with the certificates that the environment names."""
    return _tls_context(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


def _with_defaults(kwargs: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "timeout": DEFAULT_TIMEOUT,
        "limits": DEFAULT_CONNECTION_LIMITS,
        "follow_redirects": True,
        **kwargs,
    }


def _is_plain(kwargs: Mapping[str, Any]) -> bool:
    """Return whether TLS and the version of HTTP are left to the defaults, so the shared context fits."""
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
    from headrace_client.transport import ConnectionPool, PoolLimits  # these import trio

    from .transport import HttpxTransport

    settings: dict[str, Any] = {"max_connections": limits.max_connections}
    if limits.keepalive_expiry is not None:
        settings["idle_expiry"] = limits.keepalive_expiry
    return HttpxTransport(ConnectionPool(limits=PoolLimits(**settings)))


def _mounts(
    kwargs: Mapping[str, Any], proxy: object, make: Callable[[str], Transport]
) -> dict[str, Transport | None]:
    """Return mounts for the proxies of the environment, unless it is ignored, and over them the caller's."""
    mounts: dict[str, Transport | None] = {}
    if proxy is None and kwargs.get("trust_env", True):
        proxies = environment_proxies()
        mounts = {pattern: None if url is None else make(url) for pattern, url in proxies.items()}
    return {**mounts, **(kwargs.get("mounts") or {})}


class DefaultHttpxClient(httpx.Client):
    """An `httpx.Client` with this package's defaults. It takes the same arguments."""

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


def _library_transport(proxy: str | httpx.Proxy | None, kwargs: Mapping[str, Any]) -> LibraryTransport:
    """Return the transport of an asynchronous client: on trio headrace's, unless it lacks what is needed."""

    def make(library: str) -> httpx.AsyncBaseTransport:
        if library == "trio" and proxy is None and _is_plain(kwargs):
            return _own_transport(kwargs["limits"])
        return httpx.AsyncHTTPTransport(proxy=proxy, **_transport_arguments(kwargs))

    return LibraryTransport(make)


class _Cookies(httpx.Cookies):
    """Cookies that ignore responses without any; httpx would build urllib requests for them (50 us)."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep the cookies that the response sets."""
        if "set-cookie" in response.headers:
            super().extract_cookies(response)


class DefaultAsyncHttpxClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` with this package's defaults. It takes the same arguments."""

    def __init__(
        self,
        *,
        proxy: str | httpx.Proxy | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs = _with_defaults(kwargs)
        if transport is None:
            transport = _library_transport(proxy, kwargs)
            kwargs["mounts"] = _mounts(
                kwargs, proxy, lambda url: httpx.AsyncHTTPTransport(proxy=url, **_transport_arguments(kwargs))
            )
            proxy = None
        super().__init__(proxy=proxy, transport=transport, **kwargs)
        self.cookies = self._cookies

    @property
    def cookies(self) -> httpx.Cookies:
        """The cookies for further requests."""
        return self._cookies

    @cookies.setter
    def cookies(self, cookies: Any) -> None:
        self._cookies = _Cookies(cookies)


class DefaultAioHttpClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` with this package's defaults that sends through aiohttp, on asyncio only.

    It takes the same arguments, but speaks HTTP/1.1 only. Raises `RuntimeError` unless the extra ``aiohttp``
    is installed.
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
    """A transport that is made for the first request, depending on whether ``"trio"`` or ``"asyncio"`` runs.

    Connections belong to the event loop that opened them, so requests under the other library raise
    `RuntimeError`.
    """

    def __init__(self, make: Callable[[str], httpx.AsyncBaseTransport]) -> None:
        self._make = make
        self.library: str | None = None
        self._transport: httpx.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request through the transport of the running event loop. Raises `RuntimeError`."""
        return await self.chosen().handle_async_request(request)

    async def aclose(self) -> None:
        """Close the transport, if it has been made."""
        if self._transport is not None:
            await self._transport.aclose()

    def chosen(self) -> httpx.AsyncBaseTransport:
        """Return the transport of the running event loop. Raises `RuntimeError` if it belongs to another."""
        library = current_async_library()
        if self._transport is None:
            self.library, self._transport = library, self._make(library)
        if library != self.library:
            raise RuntimeError(
                f"This client has made requests under {self.library}, so it cannot be used under {library}. "
                "Make one client for each event loop."
            )
        return self._transport


class OwnHttpxClient(DefaultHttpxClient):
    """The HTTP client that an API client makes for itself. It is closed when it is garbage-collected."""

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # the interpreter may be shutting down
            self.close()


class OwnAsyncHttpxClient(DefaultAsyncHttpxClient):
    """The same for an asynchronous API client; closed by a task if an asyncio loop runs, else not at all."""

    def __init__(self, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        super().__init__(transport=transport)
        self._original_headers = self.headers.raw

    @property
    def transport(self) -> httpx.AsyncBaseTransport:
        """The transport of the running event loop. Raises `RuntimeError` if it belongs to another."""
        transport = self._transport
        return transport.chosen() if isinstance(transport, LibraryTransport) else transport

    @property
    def is_changed(self) -> bool:
        """Whether it does more than send requests through its transport with its cookies."""
        return bool(
            self._mounts
            or self.auth
            or self.params
            or any(self.event_hooks.values())
            or self.headers.raw != self._original_headers
        )

    def __del__(self) -> None:
        transport = getattr(self, "_transport", None)
        if transport is None:  # it was never made: the environment names a proxy that cannot be used
            return
        on_trio = isinstance(transport, LibraryTransport) and transport.library == "trio"
        if not self.is_closed and not on_trio:
            with contextlib.suppress(Exception):
                asyncio.get_running_loop().create_task(self.aclose())


def timeout_arguments(timeout: Any) -> Any:
    """Return a timeout in a form that httpx and its fork both accept: a `Timeout` as its four parts."""
    if isinstance(timeout, httpx.Timeout):
        return (timeout.connect, timeout.read, timeout.write, timeout.pool)
    return timeout
