"""Bodies that may have to be sent again: after a failure, a redirect, or on a new connection.

Each time the same bytes are sent, from where the content stood when the request was made; what cannot be read
again is not sent again. A content that nothing has been read from can always be sent.

    bytes, str                    sent as they are
    bytearray, memoryview         copied at the start, because their owner may change them
    list, tuple of bytes          copied at the start
    a binary file                 read again from its position, if it can seek there
    any other iterable            iterated over again, if that gives a new iterator
    an iterator, a generator      read once
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

from .options import FinalRequestOptions
from .uploaded_file import READ_ONCE, BodyConsumed, UploadedFile

_CHUNK_SIZE: Final = 65_536


class FilePart:
    """A file of a form, as httpx reads it: ``seek(0)``, then ``read`` up to its end."""

    def __init__(self, file: Any) -> None:
        self._source = UploadedFile(file, whole_at_end=True)

    def rewind(self) -> str | None:
        return self._source.rewind()

    def read(self, size: int = _CHUNK_SIZE) -> bytes:
        return self._source.read(size)

    def tell(self) -> int:
        """Return 0. Raises `OSError` if the size is not known."""
        if self._source.size is None:
            raise OSError("the size of the file is not known")
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to the start, before reading; or return the size."""
        if whence == io.SEEK_END:
            return self._source.size or 0
        self._source.begin()
        return offset


class _Iterable:
    """The parts of a body, from an iterable, or from an asynchronous one."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self._read_once = hasattr(content, "read")  # an asynchronous file: each iterator reads on
        self._iterator: Any = None
        self._fresh: Any = None
        self._most = 0

    def rewind(self) -> str | None:
        if self._iterator is None or self._fresh is not None:
            return None
        fresh = None if self._read_once else self._new()
        if fresh is None or fresh is self._iterator:
            return READ_ONCE
        self._fresh = fresh
        return None

    def begin(self) -> Any:
        """Return the iterator to read. Raises `BodyConsumed`."""
        if reason := self.rewind():
            raise BodyConsumed(reason)
        self._iterator, self._fresh = self._new() if self._fresh is None else self._fresh, None
        return self._iterator

    def ended(self, count: int) -> None:
        """Note the end of the body. Raises `BodyConsumed` if it is shorter than the time before."""
        if count < self._most:
            raise BodyConsumed("the body is shorter than the time before")

    def read(self, count: int) -> None:
        """Note that so many bytes have been read."""
        self._most = max(self._most, count)

    def _new(self) -> Any:
        content = self._content
        return aiter(content) if hasattr(content, "__aiter__") else iter(content)


class SyncContent:
    """The content of a blocking request: a file or an iterable."""

    def __init__(self, content: Any) -> None:
        self._source = _source(content)

    def rewind(self) -> str | None:
        return self._source.rewind()

    def __iter__(self) -> Iterator[bytes]:
        source = self._source
        if isinstance(source, UploadedFile):
            source.begin()
            while data := source.read(_CHUNK_SIZE):
                yield data
            return
        count = 0
        for data in source.begin():
            count += len(data)
            source.read(count)
            yield data
        source.ended(count)

    def tell(self) -> int:
        """Return 0: httpx asks for the length with it. Raises `OSError` if the length is not known."""
        if not isinstance(self._source, UploadedFile) or self._source.size is None:
            raise OSError("the length of the body is not known")
        return 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Return the length, or ``offset``; nothing moves."""
        source = self._source
        return source.size or 0 if whence == io.SEEK_END and isinstance(source, UploadedFile) else offset


class AsyncContent:
    """The content of an asynchronous request, which takes neither files nor iterables otherwise."""

    def __init__(self, content: Any) -> None:
        self._source = _source(content)

    def rewind(self) -> str | None:
        return self._source.rewind()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        source = self._source
        if isinstance(source, UploadedFile):
            source.begin()
            while data := source.read(_CHUNK_SIZE):
                yield data
            return
        count = 0
        iterator = source.begin()
        async for data in iterator if hasattr(iterator, "__anext__") else _asynchronous(iterator):
            count += len(data)
            source.read(count)
            yield data
        source.ended(count)


async def _asynchronous(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


_AS_IT_IS: Final = (type(None), bytes, str, dict, SyncContent, AsyncContent)


def replayable_content(content: Any, *, asynchronous: bool) -> Any:
    """Return the content of a request so that it can be sent again if that is possible at all.

    Raises `TypeError` for a text file.
    """
    if isinstance(content, _AS_IT_IS):
        return cast("Any", content)
    if isinstance(content, bytearray | memoryview):
        return _frozen(content)
    if isinstance(content, list | tuple):
        content = tuple([_frozen(part) for part in cast("list[Any] | tuple[Any, ...]", content)])
    if hasattr(content, "__aiter__"):
        return AsyncContent(content) if asynchronous else content  # httpx explains why not
    if hasattr(content, "__iter__") or hasattr(content, "read"):
        return AsyncContent(content) if asynchronous else SyncContent(content)
    return content


def replayable_file(content: Any) -> Any:
    """Return the content of one file of a form so that it can be sent again if that is possible at all.

    Raises `TypeError` for a text file.
    """
    return (
        FilePart(content)
        if hasattr(content, "read") and not isinstance(content, FilePart)
        else _frozen(content)
    )


def consumed_reason(error: BaseException | None) -> str | None:
    """Return why the body could not be read again, if an error goes back to that."""
    while error is not None and not isinstance(error, BodyConsumed):
        error = error.__cause__ or error.__context__
    return None if error is None else str(error)


def why_not_again(options: FinalRequestOptions) -> str | None:
    """Prepare the body of a request for being sent again; return why that is not possible, None if it is."""
    parts: list[Any] = [options.content, *[file for pair in options.files or () for file in _parts(pair)]]
    for part in parts:
        if isinstance(part, SyncContent | AsyncContent | FilePart) and (reason := part.rewind()):
            return reason
    return None


def _parts(pair: Any) -> list[Any]:
    file = pair[1]
    return list(cast("tuple[Any, ...]", file)) if isinstance(file, tuple) else [file]


def _source(content: Any) -> UploadedFile | _Iterable:
    is_file = hasattr(content, "read") and not hasattr(content, "__aiter__")
    return UploadedFile(content) if is_file else _Iterable(content)


def _frozen(part: Any) -> Any:
    return bytes(cast("Any", part)) if isinstance(part, bytearray | memoryview) else part
