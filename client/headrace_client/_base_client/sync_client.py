"""The driver of the blocking client: it sends and sleeps as the flow decides, and decides nothing itself."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack, cast

from headrace_client._exceptions import APIConnectionError, APIError
from headrace_client._httpx.errors import connection_error
from headrace_client._httpx.http_client_argument import check_http_client, inherited_timeout
from headrace_client._requests.arguments import RequestArguments, final_options
from headrace_client._requests.multipart import file_pairs, paths_in, with_contents
from headrace_client._requests.options import FinalRequestOptions

from .base import BaseClient
from .flow import Flow, RetryEvent, Send, Success
from .logging import log_failure, log_response, log_send
from .settings import ClientSettings

if TYPE_CHECKING:
    import httpx


T = TypeVar("T")


class SyncAPIClient(BaseClient):
    """The blocking client of an HTTP API. ``with`` closes it."""

    def __init__(
        self, *, http_client: httpx.Client | None = None, **settings: Unpack[ClientSettings]
    ) -> None:
        if http_client is not None:
            check_http_client(http_client, "Client")
        super().__init__(**settings)
        self._http_client = http_client
        self._closed = False
        if http_client is not None:
            self._timeout = inherited_timeout(http_client, self._timeout)

    @property
    def _client(self) -> httpx.Client:
        if self._http_client is None:
            if self._closed:
                raise RuntimeError("Cannot send a request, as the client has been closed.")
            from headrace_client._httpx.clients import OwnHttpxClient  # imports httpx

            self._http_client = OwnHttpxClient()
        return self._http_client

    def is_closed(self) -> bool:
        """Return whether the client has been closed."""
        return self._closed or (self._http_client is not None and self._http_client.is_closed)

    def close(self) -> None:
        """Close the HTTP client, even if it was passed in or is shared with copies."""
        self._closed = True
        if self._http_client is not None:
            self._http_client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _prepare_options(self, options: FinalRequestOptions) -> FinalRequestOptions:
        """Return the options of one attempt, possibly changed. Subclasses may override it."""
        return options

    def _prepare_request(self, request: httpx.Request) -> None:
        """Change the request of one attempt. Subclasses may override it."""

    def _build_request(self, options: FinalRequestOptions, *, retries_taken: int = 0) -> httpx.Request:
        return self._assemble(self._client, options, retries_taken)

    def request(
        self,
        cast_to: type[T],
        options: FinalRequestOptions,
        *,
        stream: bool = False,
        stream_cls: type[Any] | None = None,
    ) -> T:
        """Make a request, with retries and redirects; return the response as ``cast_to`` or as a stream.

        Raises `APIError` if it fails, `OSError` for a file that cannot be read, `TypeError` or `ValueError`
        for options that cannot be sent, and `RuntimeError` if the client has been closed.
        """
        if options.files:
            pairs = file_pairs(options.files)
            contents = {os.fspath(path): Path(path).read_bytes() for path in paths_in(pairs)}
            options = options.replace(files=with_contents(pairs, contents))
        flow = self._flow(options, self._client, cast_to, stream=stream)
        success = self._run(flow, stream=stream or options.raw_response == "stream")
        from headrace_client._responses.response import APIResponse  # imports the response types

        response_cls: type[APIResponse[T]] = APIResponse
        response = self._response(
            response_cls, success, cast_to, options, stream=stream, stream_cls=stream_cls
        )
        return cast("T", response) if options.raw_response else response.parse()

    def _run(self, flow: Flow, *, stream: bool) -> Success:
        step = next(flow)
        while True:
            outcome = self._attempt(step, stream=stream) if isinstance(step, Send) else self._wait(step.event)
            try:
                step = flow.send(outcome)
            except StopIteration as end:
                return end.value
            except APIError as error:
                log_failure(error)
                raise

    def _attempt(self, send: Send, *, stream: bool) -> httpx.Response | APIConnectionError:
        request = self._build_request(self._prepare_options(send.options), retries_taken=send.retries_taken)
        self._prepare_request(request)
        log_send(request, send.retries_taken)
        try:
            response = self._client.send(request, stream=stream, **self._send_arguments())
            if stream and not response.is_success:
                response.read()
        except Exception as error:
            if (failure := connection_error(error, request)) is None:
                raise
            return failure
        log_response(response)
        return response

    def _wait(self, event: RetryEvent) -> None:
        self._announce(event)
        self.clock.sleep(event.wait)

    def _call(self, method: str, path: str, cast_to: type[T], call: RequestArguments) -> T:
        options = final_options(method, path, call)
        return self.request(
            cast_to, options, stream=call.get("stream", False), stream_cls=call.get("stream_cls")
        )

    def get(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a GET request, without a body; see `request`."""
        return self._call("get", path, cast_to, call)

    def post(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a POST request; see `request`."""
        return self._call("post", path, cast_to, call)

    def put(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a PUT request; see `request`."""
        return self._call("put", path, cast_to, call)

    def patch(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a PATCH request; see `request`."""
        return self._call("patch", path, cast_to, call)

    def delete(self, path: str, *, cast_to: type[T], **call: Unpack[RequestArguments]) -> T:
        """Make a DELETE request; see `request`."""
        return self._call("delete", path, cast_to, call)

    def get_api_list(
        self,
        path: str,
        *,
        model: type[Any],
        page: type[T],
        method: str = "get",
        **call: Unpack[RequestArguments],
    ) -> T:
        """Return the first page of a list; iterate it for the items of all pages."""
        from headrace_client._responses.pagination import page_type  # imports the response types

        return self.request(page_type(page, model), final_options(method, path, call))
