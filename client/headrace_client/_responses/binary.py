"""A response that is binary instead of JSON, such as a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    import httpx


class HttpxBinaryResponseContent:
    """The body of a response: read it, iterate over it, or write it to a file, on both clients."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    def __getattr__(self, name: str) -> Any:
        # All that httpx's response has: content, text, read, iter_bytes, aread, aiter_bytes, close, ...
        return getattr(self.response, name)

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the body to ``file`` as it arrives. Raises `OSError`, and `httpx.TransportError`."""
        _write(Path(file), self.response.iter_bytes())

    def stream_to_file(self, file: str | os.PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to ``file`` in chunks of ``chunk_size`` bytes; raises as `write_to_file` does."""
        _write(Path(file), self.response.iter_bytes(chunk_size))

    async def awrite_to_file(self, file: str | os.PathLike[str]) -> None:
        """`write_to_file` for an asynchronous client."""
        await _awrite(file, self.response.aiter_bytes())

    async def astream_to_file(self, file: str | os.PathLike[str], *, chunk_size: int | None = None) -> None:
        """`stream_to_file` for an asynchronous client."""
        await _awrite(file, self.response.aiter_bytes(chunk_size))


def _write(path: Path, chunks: Iterator[bytes]) -> None:
    with path.open("wb") as target:
        for chunk in chunks:
            target.write(chunk)


async def _awrite(path: str | os.PathLike[str], chunks: AsyncIterator[bytes]) -> None:
    async with await anyio.open_file(path, "wb") as target:
        async for chunk in chunks:
            await target.write(chunk)
