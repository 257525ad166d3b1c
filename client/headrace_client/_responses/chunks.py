"""Iterating over the chunks of a body as they arrive, with the client's errors.

httpx's iterators end quietly after an error, a cancelled wait or a close. These do not: a body that was left
before its end raises each time it is read again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import anyio

T = TypeVar("T")

Failure = Callable[[Exception | None], Exception]
"""Returns the caller's error for one of httpx's; for None, that of a body that was left before its end."""


class _Chunks:
    def __init__(self, failure: Failure) -> None:
        self._failure = failure
        self._ended = False
        self._left = False

    def _check(self) -> None:
        if self._left:
            raise self._failure(None)

    def leave(self) -> None:
        """Note that the body is closed. Unless it had ended, reading on raises from now on."""
        self._left = not self._ended


class Chunks(_Chunks, Iterator[T]):
    """The chunks of a body, for a blocking client."""

    def __init__(self, chunks: Iterator[T], failure: Failure) -> None:
        super().__init__(failure)
        self._chunks = chunks

    def __next__(self) -> T:
        self._check()
        try:
            return next(self._chunks)
        except StopIteration:
            self._ended = True
            raise
        except BaseException as error:
            self.leave()
            if not isinstance(error, Exception):
                raise
            raise self._failure(error) from error


class AsyncChunks(_Chunks, AsyncIterator[T]):
    """The chunks of a body, for an asynchronous client."""

    def __init__(self, chunks: AsyncIterator[T], failure: Failure) -> None:
        super().__init__(failure)
        self._chunks = chunks

    async def __anext__(self) -> T:
        self._check()
        try:
            return await anext(self._chunks)
        except StopAsyncIteration:
            self._check()  # closed while this read waited
            self._ended = True
            raise
        except BaseException as error:
            self.leave()
            if not isinstance(error, Exception):
                raise
            raise self._failure(error) from error

    async def unwind(self) -> None:
        """Leave the body; see `unwind`."""
        self.leave()
        await unwind(self._chunks)


async def unwind(chunks: AsyncIterator[Any]) -> None:
    """End an iterator that was left in the middle.

    httpx's iterators are nested generators: closing the outer one leaves the inner ones to the garbage
    collector, and trio warns about that. If the innermost wait is cancelled, all of them end, from the inside
    out.
    """
    with anyio.CancelScope() as scope, suppress(Exception):
        scope.cancel()
        async for _ in chunks:
            pass
