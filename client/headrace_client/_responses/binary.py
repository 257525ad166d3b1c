"""An answer that is no JSON but bytes, such as a file."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    import httpx


class HttpxBinaryResponseContent:
    """The bytes of an answer: read them, go over them, or write them to a file; on both faces."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response

    def __getattr__(self, name: str) -> Any:
        # All that httpx's response has: content, text, read, iter_bytes, aread, aiter_bytes, close, ...
        return getattr(self.response, name)

    def write_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the body to ``file`` as it arrives."""
        _write(Path(file), self.response.iter_bytes())

    def stream_to_file(self, file: str | os.PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to ``file`` in pieces of ``chunk_size`` bytes."""
        _write(Path(file), self.response.iter_bytes(chunk_size))

    async def awrite_to_file(self, file: str | os.PathLike[str]) -> None:
        """Write the body to ``file`` as it arrives, on an asynchronous client."""
        await _awrite(file, self.response.aiter_bytes())

    async def astream_to_file(self, file: str | os.PathLike[str], *, chunk_size: int | None = None) -> None:
        """Write the body to ``file`` in pieces of ``chunk_size`` bytes, on an asynchronous client."""
        await _awrite(file, self.response.aiter_bytes(chunk_size))


def _write(path: Path, pieces: Iterator[bytes]) -> None:
    with path.open("wb") as target:
        for piece in pieces:
            target.write(piece)


async def _awrite(path: str | os.PathLike[str], pieces: AsyncIterator[bytes]) -> None:
    async with await anyio.open_file(path, "wb") as target:
        async for piece in pieces:
            await target.write(piece)
