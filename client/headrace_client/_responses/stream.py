"""`Stream` and `AsyncStream`: the events of a response as they arrive, as typed values."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from headrace_client._models.construct import unwrapped

from .body_reader import AsyncBodyReader, AsyncValues, SyncBodyReader, SyncValues
from .cast import is_strict
from .event_reader import EventReader, IncompleteStreamError

if TYPE_CHECKING:
    import httpx

    from headrace_client._wire.sse import ServerSentEvent

__all__ = ["AsyncStream", "IncompleteStreamError", "Stream", "chunk_type", "is_stream_class"]

T = TypeVar("T")


class Stream(SyncBodyReader[T]):
    """The events of a response as they arrive, each as a ``T``.

    Iterating skips pings and events with unknown names; `all_events` includes them. Leaving a loop does not
    close the stream, and you can resume later: use ``with``, or `close`.

    Iterating raises the `APIStatusError` of an ``error`` event, `IncompleteStreamError` if the stream ends
    before ``message_stop``, `APIResponseValidationError` for invalid data, `APITimeoutError` and
    `APIConnectionError`.
    """

    def __init__(
        self, *, cast_to: Any, response: httpx.Response, client: Any, options: object = None
    ) -> None:
        self._client = client
        self._cast_to = cast_to
        self._options = options
        self._events = EventReader(response, cast_to, strict=is_strict(client))
        super().__init__(response, self._events)

    def all_events(self) -> Iterator[T]:
        """Return an iterator over all events, including pings and events with unknown names."""
        return SyncValues(self, self._events.next_of_all)

    def _iter_events(self) -> Iterator[ServerSentEvent]:
        return SyncValues(self, self._events.next_event)


class AsyncStream(AsyncBodyReader[T]):
    """The events of a response as they arrive, each as a ``T``; see `Stream`."""

    def __init__(
        self, *, cast_to: Any, response: httpx.Response, client: Any, options: object = None
    ) -> None:
        self._client = client
        self._cast_to = cast_to
        self._options = options
        self._events = EventReader(response, cast_to, strict=is_strict(client))
        super().__init__(response, self._events)

    def all_events(self) -> AsyncIterator[T]:
        """Return an iterator over all events, including pings and events with unknown names."""
        return AsyncValues(self, self._events.next_of_all)

    def _iter_events(self) -> AsyncIterator[ServerSentEvent]:
        return AsyncValues(self, self._events.next_event)


def chunk_type(stream_cls: Any) -> Any:
    """Return the ``T`` of `Stream[T]` or of a subclass, None if it has none."""
    if arguments := get_args(stream_cls):
        return arguments[0]
    for base in getattr(stream_cls, "__orig_bases__", ()):
        if is_stream_class(base):
            return get_args(base)[0]
    return None


def is_stream_class(cast_to: Any) -> bool:
    """Return whether ``cast_to`` is a `Stream` or `AsyncStream`."""
    origin = get_origin(unwrapped(cast_to)) or cast_to
    return isinstance(origin, type) and issubclass(origin, Stream | AsyncStream)
