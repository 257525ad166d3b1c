"""``with_raw_response`` and ``with_streaming_response``: methods that return the response itself.

Both add a header to the call that tells the client what to return. So one class each serves every resource,
including those of users.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import Any, Generic, TypeVar

from headrace_client._requests.options import RAW_RESPONSE_HEADER

from .response import APIResponse, AsyncAPIResponse

T = TypeVar("T")


class RawResponses:
    """A resource (or client) whose methods return an `APIResponse` whose body has been read.

    On an asynchronous client they return an awaitable of an `AsyncAPIResponse`.
    """

    def __init__(self, resource: Any) -> None:
        self._resource = resource

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._resource, name)
        return _marked(attribute, "true") if callable(attribute) else RawResponses(attribute)


class StreamingResponses:
    """A resource (or client) whose methods return a context manager, which makes the request on entering.

    It gives an `APIResponse` (`AsyncAPIResponse`) whose body has not been read, and closes it on leaving.
    """

    def __init__(self, resource: Any, *, asynchronous: bool) -> None:
        self._resource = resource
        self._asynchronous = asynchronous

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._resource, name)
        if not callable(attribute):
            return StreamingResponses(attribute, asynchronous=self._asynchronous)
        call = _marked(attribute, "stream")
        manager: Any = AsyncResponseContextManager if self._asynchronous else ResponseContextManager

        @wraps(attribute)
        def open_response(*args: Any, **kwargs: Any) -> Any:
            return manager(lambda: call(*args, **kwargs))

        return open_response


def _marked(method: Callable[..., T], mark: str) -> Callable[..., T]:
    @wraps(method)
    def call(*args: Any, extra_headers: Mapping[str, Any] | None = None, **kwargs: Any) -> T:
        return method(*args, extra_headers={**(extra_headers or {}), RAW_RESPONSE_HEADER: mark}, **kwargs)

    return call


class ResponseContextManager(Generic[T]):
    """Makes a request on entering and closes the response on leaving."""

    def __init__(self, request: Callable[[], APIResponse[T]]) -> None:
        self._request = request
        self._response: APIResponse[T] | None = None

    def __enter__(self) -> APIResponse[T]:
        self._response = self._request()
        return self._response

    def __exit__(self, *exc_info: object) -> None:
        if self._response is not None:
            self._response.close()


class AsyncResponseContextManager(Generic[T]):
    """Makes a request on entering and closes the response on leaving."""

    def __init__(self, request: Callable[[], Awaitable[AsyncAPIResponse[T]]]) -> None:
        self._request = request
        self._response: AsyncAPIResponse[T] | None = None

    async def __aenter__(self) -> AsyncAPIResponse[T]:
        self._response = await self._request()
        return self._response

    async def __aexit__(self, *exc_info: object) -> None:
        if self._response is not None:
            await self._response.close()
