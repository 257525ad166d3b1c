"""The two drivers that iterate over the values of a response while its body arrives.

A pure `ValueReader` decides what the bytes mean; the drivers read, watch the time and close. They are
classes with ``__next__`` and ``__anext__``, not generators: iteration can stop and resume, and leaving it
early does not leave an unfinished generator for the event loop to collect.

A body is complete when its reader says so, not when the response ends: a server may leave the response open
or cut it off after the last event. A body that was left before that (an error, a cancelled wait, `close`) is
never read as a short one: each later attempt to read it raises.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, Self, TypeVar

import anyio

from headrace_client._exceptions import APIError, APITimeoutError
from headrace_client._httpx.errors import connection_error
from headrace_client._httpx.lingering import linger, linger_async

from .chunks import unwind

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

NEEDS_BYTES: Final = object()
ENDED: Final = object()


class ValueReader(Protocol):
    """Turns bytes, in any chunks, into values (pure)."""

    def feed(self, data: bytes | None) -> None:
        """Take the next bytes, None at the end."""
        ...

    def next_value(self) -> Any:
        """Return the next value, `NEEDS_BYTES` or `ENDED`. Raises `APIError` if the bytes mean one."""
        ...

    def stop(self) -> None:
        """Drop the remaining values."""
        ...

    @property
    def complete(self) -> bool:
        """Whether nothing that matters can follow the values that were taken."""
        ...

    def cut_short(self) -> APIError:
        """Return the error of a body that was left before it was complete."""
        ...


class BodyReader(Generic[T]):
    """What both drivers share: the limits on time, and the errors for the caller."""

    _client: Any = None
    """The client that made the request, if known."""

    def __init__(self, response: httpx.Response, reader: ValueReader) -> None:
        self.response = response
        self._reader: ValueReader = reader
        self._idle_timeout = math.inf
        self._deadline = math.inf
        self._ended = False
        self._left = False
        self._failure: BaseException | None = None
        self._is_reading = False

    def _now(self) -> float:
        raise NotImplementedError

    def limit(self, *, idle_timeout: float | None = None, total_timeout: float | None = None) -> Self:
        """Set time limits before iterating, and return this object.

        ``idle_timeout``: the longest time without any data, pings included, in seconds. ``total_timeout``:
        the time from now to the end, in seconds. Iterating raises `APITimeoutError` when a limit has passed.
        None does not change a limit.
        """
        if idle_timeout is not None:
            self._idle_timeout = idle_timeout
        if total_timeout is not None:
            self._deadline = self._now() + total_timeout
        return self

    def _time_left(self) -> float:
        """Return how many seconds the next bytes may take. Raises `APITimeoutError` if it is too late."""
        left = self._deadline - self._now()
        if left <= 0:
            raise APITimeoutError(self.response.request, message="The response took too long to arrive.")
        return min(left, self._idle_timeout)

    def _begin(self) -> None:
        """Begin to take a value. A body that was left before its end, for any reason, never ends quietly.

        Raises `APIError`, and `RuntimeError` if another task is taking one.
        """
        if self._is_reading:
            raise RuntimeError("another task or thread is reading this stream")
        if self._left:
            raise self._reader.cut_short() from self._failure
        self._is_reading = True

    def _leave(self) -> None:
        self._left = self._left or not self._reader.complete
        self._reader.stop()

    def _feed(self, data: bytes | None) -> None:
        """Pass on what was read, unless the body was closed meanwhile. Raises `APIError`."""
        if self._left:
            raise self._reader.cut_short()
        self._ended = data is None
        self._reader.feed(data)

    def _translated(self, error: BaseException, *, closed: bool) -> BaseException:
        """Return the error for the caller. ``closed``: the body was closed while it was read."""
        if self._failure is None:
            self._failure = error
        if isinstance(error, APIError) or not isinstance(error, Exception):
            return error
        if closed:
            return self._reader.cut_short()
        return connection_error(error, self.response.request) or error


class SyncBodyReader(BodyReader[T]):
    """The blocking driver, an iterator and a context manager."""

    def __init__(
        self, response: httpx.Response, reader: ValueReader, chunks: Iterator[bytes] | None = None
    ) -> None:
        super().__init__(response, reader)
        self._chunks = chunks

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> T:
        return self.pull(self._reader.next_value)

    def close(self) -> None:
        """Close the response and, unless it has arrived completely, its connection."""
        self._leave()
        self.response.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _now(self) -> float:
        return getattr(self._client, "clock", time).monotonic()

    def pull(self, take: Callable[[], Any]) -> Any:
        """Return the result of ``take``, reading while it is `NEEDS_BYTES`, and stop iterating at `ENDED`."""
        self._begin()
        try:
            while (value := take()) is NEEDS_BYTES:
                self._feed(self._read())
            if value is ENDED and self._chunks is not None and not self._ended:
                linger(self.response, self._chunks)
        except BaseException as error:
            closed = self._left
            self.close()
            if (translated := self._translated(error, closed=closed)) is error:
                raise
            raise translated from error
        finally:
            self._is_reading = False
        if value is ENDED:
            self.close()
            raise StopIteration
        return value

    def _read(self) -> bytes | None:
        left = self._time_left()
        if self._chunks is None:
            if left < math.inf:
                self._shorten_read_timeout(left)
            self._chunks = self.response.iter_bytes()
        return next(self._chunks, None)

    def _shorten_read_timeout(self, seconds: float) -> None:
        """Limit each wait for bytes to ``seconds``.

        A blocking read cannot be interrupted from here. But httpx passes this mapping to its transport, which
        looks at it when the body is first read.
        """
        timeouts = self.response.request.extensions.get("timeout")
        if isinstance(timeouts, dict):
            timeouts["read"] = seconds


class AsyncBodyReader(BodyReader[T]):
    """The asynchronous driver, on trio and asyncio, an iterator and a context manager."""

    def __init__(
        self, response: httpx.Response, reader: ValueReader, chunks: AsyncIterator[bytes] | None = None
    ) -> None:
        super().__init__(response, reader)
        self._chunks = chunks

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        return await self.pull(self._reader.next_value)

    async def close(self) -> None:
        """Close the response and, unless it has arrived completely, its connection."""
        self._leave()
        if self._chunks is not None:
            await unwind(self._chunks)
        await self.response.aclose()

    async def aclose(self) -> None:
        """Close as `close` does, for `contextlib.aclosing`."""
        await self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()

    def _now(self) -> float:
        return anyio.current_time()

    async def pull(self, take: Callable[[], Any]) -> Any:
        """Return the result of ``take``, reading while it is `NEEDS_BYTES`, and stop iterating at `ENDED`."""
        self._begin()
        try:
            while (value := take()) is NEEDS_BYTES:
                self._feed(await self._read())
            if value is ENDED and self._chunks is not None and not self._ended:
                await linger_async(self._chunks)
        except BaseException as error:
            closed = self._left
            with anyio.CancelScope(shield=True):
                await self.close()
            if (translated := self._translated(error, closed=closed)) is error:
                raise
            raise translated from error
        finally:
            self._is_reading = False
        if value is ENDED:
            await self.close()
            raise StopAsyncIteration
        return value

    async def _read(self) -> bytes | None:
        if self._chunks is None:
            self._chunks = self.response.aiter_bytes()
        left = self._time_left()
        with anyio.fail_after(None if left == math.inf else left):
            return await anext(self._chunks, None)


class SyncValues(Iterator[T]):
    """Another iterator over a `SyncBodyReader`; ``take`` chooses its values."""

    def __init__(self, body: SyncBodyReader[Any], take: Callable[[], Any]) -> None:
        self._body = body
        self._take = take

    def __next__(self) -> T:
        return self._body.pull(self._take)


class AsyncValues(AsyncIterator[T]):
    """Another iterator over an `AsyncBodyReader`; ``take`` chooses its values."""

    def __init__(self, body: AsyncBodyReader[Any], take: Callable[[], Any]) -> None:
        self._body = body
        self._take = take

    async def __anext__(self) -> T:
        return await self._body.pull(self._take)
