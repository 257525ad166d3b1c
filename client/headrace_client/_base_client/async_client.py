"""The driver of the asynchronous client, on trio and asyncio: `sync_client` with ``await``."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import cache
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast, get_origin

from anyio import Path
from sniffio import current_async_library

from headrace_client._exceptions import APIConnectionError, APIError
from headrace_client._httpx.errors import connection_error
from headrace_client._httpx.http_client_argument import check_http_client, inherited_timeout
from headrace_client._requests.arguments import RequestArguments, final_options
from headrace_client._requests.multipart import file_pairs, paths_in, with_contents
from headrace_client._requests.options import FinalRequestOptions, HeadersLike
from headrace_client._requests.urls import build_url, request_target

from .base import BaseClient
from .flow import Flow, RetryEvent, Send, Success
from .logging import log_failure, log_response, log_send
from .platform import loop_name
from .settings import ClientSettings

if TYPE_CHECKING:
    import httpx

    from headrace_client._responses.pagination import AsyncPaginator, BaseAsyncPage
    from headrace_client._responses.response import AsyncAPIResponse
    from headrace_client.transport import ConnectionPool
    from headrace_client.transport.sender import Sender

    from .fast_path import FastPath

T = TypeVar("T")
PageT = TypeVar("PageT", bound="BaseAsyncPage[Any]")


class AsyncAPIClient(BaseClient):
    """The asynchronous client of an HTTP API, on trio and asyncio. ``async with`` closes it.

    ``pool``: send over these connections, on trio only.
    """

    _asynchronous = True

    def __init__(
        self,
        *,
        http_client: httpx.AsyncClient | None = None,
        pool: ConnectionPool | None = None,
        **settings: Unpack[ClientSettings],
    ) -> None:
        if http_client is not None:
            check_http_client(http_client, "AsyncClient")
        super().__init__(**settings)
        self._http_client = http_client
        self._closed = False
        self._pool = pool
        if http_client is not None:
            self._timeout = inherited_timeout(http_client, self._timeout)

    @property
    def _client(self) -> httpx.AsyncClient:
        if self._http_client is None:
            if self._closed:
                raise RuntimeError("Cannot send a request, as the client has been closed.")
            from headrace_client._httpx.clients import OwnAsyncHttpxClient  # imports httpx

            self._http_client = OwnAsyncHttpxClient(transport=self._pooled_transport())
        return self._http_client

    def _pooled_transport(self) -> httpx.AsyncBaseTransport | None:
        """Return a transport over the given pool, if there is one."""
        if self._pool is None:
            return None
        from headrace_client._httpx.transport import HttpxTransport  # imports httpx

        return HttpxTransport(self._pool)

    def _loop_name(self) -> str:
        return loop_name()

    @property
    def uses_given_http_client(self) -> bool:
        """Whether requests go through an ``http_client`` that the caller passed in."""
        from headrace_client._httpx.clients import OwnAsyncHttpxClient  # imports httpx

        http_client = self._http_client
        return http_client is not None and not isinstance(http_client, OwnAsyncHttpxClient)

    def is_closed(self) -> bool:
        """Return whether the client has been closed."""
        return self._closed or (self._http_client is not None and self._http_client.is_closed)

    async def close(self) -> None:
        """Close the HTTP client, even if it was passed in or is shared with copies."""
        self._closed = True
        if self._pool is not None:
            self._pool.close()
        if self._http_client is not None:
            await self._http_client.aclose()

    async def aclose(self) -> None:
        """Close as `close` does, for `contextlib.aclosing`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    async def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        """Return the options of one attempt, possibly changed. Subclasses may override it."""
        return options

    async def _prepare_request(self, request: httpx.Request) -> None:
        """Change the request of one attempt. Subclasses may override it."""

    def _build_request(self, options: FinalRequestOptions, *, retries_taken: int = 0) -> httpx.Request:
        return self._assemble(self._client, options, retries_taken)

    async def request(
        self,
        cast_to: type[T],
        options: FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> T:
        """Make a request, with retries and redirects; return the response as ``cast_to`` or as a stream.

        Raises `APIError` if it fails, `OSError` for a file that cannot be read, `TypeError` or `ValueError`
        for options that cannot be sent, and `RuntimeError` if the client has been closed, or was used under
        another event loop library.
        """
        if options.files:
            pairs = file_pairs(options.files)
            contents = {os.fspath(path): await Path(path).read_bytes() for path in paths_in(pairs)}
            options = options.replace(files=with_contents(pairs, contents))
        flow = self._flow(options, self._client, cast_to, stream=stream)
        success = await self._run(flow, stream=stream or options.raw_response == "stream")
        response = self._response(
            _response_class(), success, cast_to, options, stream=stream, stream_cls=stream_cls
        )
        return cast("T", response) if options.raw_response else await response.parse()

    async def _run(self, flow: Flow, *, stream: bool) -> Success:
        step = next(flow)
        while True:
            action = self._attempt(step, stream=stream) if isinstance(step, Send) else self._wait(step.event)
            outcome = await action
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                return end.value
            except APIError as error:
                log_failure(error)
                raise

    async def _attempt(self, send: Send, *, stream: bool) -> httpx.Response | APIConnectionError:
        options = await self._prepare_options(send.options)
        if not stream and (path := self._fast_path()) is not None:
            prepared = self._prepared_request(options, send.retries_taken)
            if (encoded := path.encode(prepared)) is not None:
                return await path.attempt(prepared, encoded, send.retries_taken)
        request = self._build_request(options, retries_taken=send.retries_taken)
        await self._prepare_request(request)
        log_send(request, send.retries_taken)
        try:
            response = await self._client.send(request, stream=stream, **self._send_arguments())
            if stream and not response.is_success:
                await response.aread()
        except Exception as error:
            if (failure := connection_error(error, request)) is None:
                raise
            return failure
        _untie(response)
        log_response(response)
        return response

    def _fast_path(self) -> FastPath | None:
        """Return the fast path, if requests that need the whole response may take it."""
        if current_async_library() != "trio" or self.custom_auth is not None or self._is_hooked():
            return None
        return _find_fast_path()(self._client)

    def _is_hooked(self) -> bool:
        return any(name in vars(self) or getattr(type(self), name) is not own for name, own in _HOOKS.items())

    async def _wait(self, event: RetryEvent) -> None:
        self._announce(event)
        await self.clock.sleep_async(event.wait)

    async def _call(self, method: str, path: str, cast_to: type[T], call: RequestArguments) -> T:
        options = final_options(method, path, call)
        return await self.request(
            cast_to, options, stream=call.get("stream", False), stream_cls=call.get("stream_cls")
        )

    def open_sender(
        self, method: str, path: str, headers: HeadersLike | None = None, *, idle_timeout: float = math.inf
    ) -> AbstractAsyncContextManager[Sender]:
        """Return a context manager for a sender: single attempts at one endpoint.

        A sender does not retry, follow redirects or parse. ``headers`` are merged over the client's own.
        ``idle_timeout``: an attempt fails after this many seconds without data. Attempts go through the HTTP
        client if one was passed in, else on trio directly through headrace's transport. Raises `ValueError`
        for a URL or headers that cannot be sent, and `TypeError` without credentials.
        """
        from headrace_client._httpx.sender import open_httpx_sender  # these import trio
        from headrace_client.transport import ConnectionPool, Origin
        from headrace_client.transport.sender import open_pooled_sender

        url = build_url(self._url, path, self.default_query, self.qs)
        sent = self._endpoint_headers(url, headers or {}).sent
        if self._pool is None and (self._http_client is not None or current_async_library() != "trio"):
            return open_httpx_sender(self._client, method, url, sent, idle_timeout=idle_timeout)
        if self._pool is None:
            self._pool = ConnectionPool()
        origin, target = Origin.parse(url), request_target(url)
        return open_pooled_sender(self._pool, origin, method, target, sent, idle_timeout=idle_timeout)

    async def get(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a GET request, without a body; see `request`."""
        return await self._call("get", path, cast_to, call)

    async def post(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a POST request; see `request`."""
        return await self._call("post", path, cast_to, call)

    async def put(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a PUT request; see `request`."""
        return await self._call("put", path, cast_to, call)

    async def patch(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a PATCH request; see `request`."""
        return await self._call("patch", path, cast_to, call)

    async def delete(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a DELETE request; see `request`."""
        return await self._call("delete", path, cast_to, call)

    def get_api_list(
        self,
        path: str,
        *,
        model: type[Any],
        page: type[PageT],
        method: str = "get",
        **call: Unpack[RequestArguments],
    ) -> AsyncPaginator[Any, PageT]:
        """Return a list, not requested yet: await it for its first page, or iterate it for all items."""
        from headrace_client._responses.pagination import AsyncPaginator  # imports the response types

        options, pages = final_options(method, path, call), cast("Any", get_origin(page) or page)
        return AsyncPaginator(client=self, options=options, page_cls=pages, model=model)


def _untie(response: httpx.Response) -> None:
    """Drop the stream of a response that has been read.

    httpx's stream refers back to the response, and that cycle would wait for the garbage collector (a tenth
    of the cost of a call with 128 in flight).
    """
    if response.is_closed:
        response.stream = _no_stream()


@cache
def _no_stream() -> httpx.AsyncByteStream:
    import httpx  # late: see `base`

    return httpx.ByteStream(b"")


# The functions below are cached because an import statement takes 1 us even if the module is loaded.


@cache
def _response_class() -> type[AsyncAPIResponse[Any]]:
    from headrace_client._responses.response import AsyncAPIResponse  # imports the response types

    return AsyncAPIResponse


@cache
def _find_fast_path() -> Callable[[httpx.AsyncClient], FastPath | None]:
    from .fast_path import fast_path  # imports httpx and trio

    return fast_path


_HOOKS = {name: vars(AsyncAPIClient)[name] for name in ("_prepare_request", "_build_request")}
"""The methods that a subclass or a test overrides in order to see each `httpx.Request`."""
