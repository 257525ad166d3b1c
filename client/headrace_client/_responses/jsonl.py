"""A body of JSON lines, read as it arrives, such as the results of a batch."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headrace_client._exceptions import APIConnectionError, APIResponseValidationError
from headrace_client._models.construct import construct
from headrace_client._wire.json import decode
from headrace_client._wire.sse import LineDecoder

from .body_reader import ENDED, NEEDS_BYTES, AsyncBodyReader, SyncBodyReader
from .errors import line_error, quoted

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")


class _LineReader:
    """Turns bytes into the values of lines (pure)."""

    def __init__(self, response: httpx.Response, line_type: Any) -> None:
        self._response = response
        self._line_type = line_type
        self._decoder = LineDecoder()
        self._arrived: deque[bytes] = deque()
        self._at_end = False

    def feed(self, data: bytes | None) -> None:
        self._at_end = data is None
        self._arrived.extend(self._decoder.finish() if data is None else self._decoder.feed(data))

    def stop(self) -> None:
        self._arrived.clear()

    @property
    def complete(self) -> bool:
        return self._at_end and not self._arrived

    def cut_short(self) -> APIConnectionError:
        message = "The body was closed, or broke off, before its last line."
        return APIConnectionError(message=message, request=self._response.request)

    def next_value(self) -> Any:
        if not self._arrived:
            return ENDED if self._at_end else NEEDS_BYTES
        line = self._arrived.popleft()
        try:
            value: Any = decode(line)
        except msgspec.DecodeError as error:
            raise self._invalid(line, "A line is not JSON.") from error
        if (inner := line_error(self._response, value)) is not None:
            raise inner
        if _is_model(self._line_type) and not isinstance(value, dict):
            raise self._invalid(line, "A line is not a JSON object.")
        return construct(value, self._line_type)

    def _invalid(self, line: bytes, problem: str) -> APIResponseValidationError:
        text = line.decode(errors="replace")
        return APIResponseValidationError(self._response, text, message=f"{quoted(text)}{problem}")


def _is_model(line_type: Any) -> bool:
    return isinstance(line_type, type) and issubclass(line_type, msgspec.Struct)


class JSONLDecoder(SyncBodyReader[T]):
    """The lines of a response, each as a ``T``. Read all of them, close it, or use ``with``.

    Iterating raises `APIResponseValidationError` for a line that is not JSON, the `APIStatusError` of an
    error that stands in place of the lines, and `APIConnectionError`.
    """

    def __init__(
        self, *, raw_iterator: Iterator[bytes], line_type: Any, http_response: httpx.Response
    ) -> None:
        super().__init__(http_response, _LineReader(http_response, line_type), raw_iterator)
        self.http_response = http_response


class AsyncJSONLDecoder(AsyncBodyReader[T]):
    """The lines of a response, each as a ``T``. Read all of them, close it, or use ``async with``.

    Iterating raises `APIResponseValidationError` for a line that is not JSON, the `APIStatusError` of an
    error that stands in place of the lines, and `APIConnectionError`.
    """

    def __init__(
        self, *, raw_iterator: AsyncIterator[bytes], line_type: Any, http_response: httpx.Response
    ) -> None:
        super().__init__(http_response, _LineReader(http_response, line_type), raw_iterator)
        self.http_response = http_response
