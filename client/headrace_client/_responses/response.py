"""`APIResponse` and `AsyncAPIResponse`: a response as received, and on request as a typed value.

Every request uses one of them. ``with_raw_response`` and ``with_streaming_response`` return them to the
caller, the former after reading the body, the latter before.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cached_property
from typing import Any, Self, TypeVar

from headrace_client._models.construct import unwrapped

from .base_response import BaseAPIResponse, R
from .chunks import AsyncChunks, Chunks
from .stream import AsyncStream

T = TypeVar("T")


class APIResponse(BaseAPIResponse[R]):
    """A response as received, for a blocking client; `parse` returns it as a typed value."""

    @cached_property
    def _iterators(self) -> list[Chunks[Any]]:
        return []

    def parse(self, *, to: Any = None) -> Any:
        """Return the response as the requested type, or as ``to``. The body is read, except for streams.

        Raises `APIResponseValidationError`, the errors of `read`, and `TypeError`, `ValueError` or
        `RuntimeError` for a type that a response cannot have.
        """
        cast_to = unwrapped(self._cast_to if to is None else to)
        if id(cast_to) not in self._parsed:  # by identity, because not every type has a hash
            parsed = self._lazy_form(cast_to, explicit=to is not None)
            if parsed is None:
                self.read()
                parsed = self._from_body(cast_to)
            self._parsed[id(cast_to)] = cast_to, parsed
        return self._parsed[id(cast_to)][1]

    def read(self) -> bytes:
        """Read the body. Raises `StreamAlreadyConsumed` and `APIConnectionError`."""
        try:
            return self.http_response.read()
        except Exception as error:
            raise self._failure(error) from error

    def text(self) -> str:
        """Read the body as text. Raises as `read` does."""
        self.read()
        return self.http_response.text

    def json(self) -> Any:
        """Read the body as JSON. Raises as `read` does, and `json.JSONDecodeError`."""
        self.read()
        return self.http_response.json()

    def close(self) -> None:
        """Close the body and, unless it has arrived completely, its connection."""
        for chunks in self._iterators:
            chunks.leave()
        self.http_response.close()

    def iter_bytes(self, chunk_size: int | None = None) -> Iterator[bytes]:
        """Iterate over the decoded body, in chunks of ``chunk_size`` bytes. Raises as `read` does."""
        return self._translated(self.http_response.iter_bytes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> Iterator[str]:
        """Iterate over the text of the body as it arrives. Raises as `read` does."""
        return self._translated(self.http_response.iter_text(chunk_size))

    def iter_lines(self) -> Iterator[str]:
        """Iterate over the lines of the body as it arrives. Raises as `read` does."""
        return self._translated(self.http_response.iter_lines())

    def _translated(self, chunks: Iterator[T]) -> Iterator[T]:
        self._iterators.append(translated := Chunks(chunks, self._failure))
        return translated

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class AsyncAPIResponse(BaseAPIResponse[R]):
    """A response as received, for an asynchronous client; `parse` returns it as a typed value."""

    _default_stream_cls = AsyncStream

    @cached_property
    def _iterators(self) -> list[AsyncChunks[Any]]:
        return []

    async def parse(self, *, to: Any = None) -> Any:
        """Return the response as the requested type, or as ``to``. The body is read, except for streams.

        Raises `APIResponseValidationError`, the errors of `read`, and `TypeError`, `ValueError` or
        `RuntimeError` for a type that a response cannot have.
        """
        cast_to = unwrapped(self._cast_to if to is None else to)
        if id(cast_to) not in self._parsed:  # by identity, because not every type has a hash
            parsed = self._lazy_form(cast_to, explicit=to is not None)
            if parsed is None:
                await self.read()
                parsed = self._from_body(cast_to)
            self._parsed[id(cast_to)] = cast_to, parsed
        return self._parsed[id(cast_to)][1]

    async def read(self) -> bytes:
        """Read the body. Raises `StreamAlreadyConsumed` and `APIConnectionError`."""
        try:
            return await self.http_response.aread()
        except Exception as error:
            raise self._failure(error) from error

    async def text(self) -> str:
        """Read the body as text. Raises as `read` does."""
        await self.read()
        return self.http_response.text

    async def json(self) -> Any:
        """Read the body as JSON. Raises as `read` does, and `json.JSONDecodeError`."""
        await self.read()
        return self.http_response.json()

    async def close(self) -> None:
        """Close the body and, unless it has arrived completely, its connection."""
        for chunks in self._iterators:
            await chunks.unwind()
        self._iterators.clear()
        await self.http_response.aclose()

    async def aclose(self) -> None:
        """Close as `close` does, for `contextlib.aclosing`."""
        await self.close()

    def iter_bytes(self, chunk_size: int | None = None) -> AsyncIterator[bytes]:
        """Iterate over the decoded body, in chunks of ``chunk_size`` bytes. Raises as `read` does."""
        return self._translated(self.http_response.aiter_bytes(chunk_size))

    def iter_text(self, chunk_size: int | None = None) -> AsyncIterator[str]:
        """Iterate over the text of the body as it arrives. Raises as `read` does."""
        return self._translated(self.http_response.aiter_text(chunk_size))

    def iter_lines(self) -> AsyncIterator[str]:
        """Iterate over the lines of the body as it arrives. Raises as `read` does."""
        return self._translated(self.http_response.aiter_lines())

    def _translated(self, chunks: AsyncIterator[T]) -> AsyncIterator[T]:
        self._iterators.append(translated := AsyncChunks(chunks, self._failure))
        return translated

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()
