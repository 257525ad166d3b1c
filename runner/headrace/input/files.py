"""The inputs of a run: job files, FIFOs or standard input, as lists of numbered lines.

Regular files are read twice: by the scan before the first request, and by the run. Both stop at the size that
the file had when the run began, so both see the same lines.
"""

from __future__ import annotations

import os
import stat
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

import attrs
import trio

from headrace._exceptions import RunRefused, StorageFailed
from headrace.input.lines import InputLine, LineSplitter
from headrace.policy.options import DEFAULT_MAX_LINE
from headrace.policy.text import readable

_T = TypeVar("_T")

_CHUNK_SIZE = 256 * 1024
_STDIN = 0


class InputDisk(Protocol):
    """Reads regular files: the real disk or a simulated one."""

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, ``b""`` at the end."""
        ...

    def close(self) -> None:
        """Close all open files."""
        ...


@attrs.frozen(kw_only=True)
class InputFile:
    """One input. ``path`` None: standard input. ``size`` None: a stream, which can be read only once."""

    path: Path | None
    size: int | None

    @property
    def name(self) -> str:
        """Its name in messages and records."""
        return "standard input" if self.path is None else readable(str(self.path))


@attrs.frozen(kw_only=True)
class Inputs:
    """All inputs of a run, in order. Close them with `close`."""

    files: Sequence[InputFile]
    disk: InputDisk
    first: int | None = None
    """Stop after this many nonblank lines."""
    max_line: int = DEFAULT_MAX_LINE
    """Bytes; longer lines are returned without their text."""

    @property
    def rereadable(self) -> bool:
        """Whether all inputs are regular files, so that they can be scanned before the run."""
        return all(file.size is not None for file in self.files)

    def scan(self) -> Iterator[list[InputLine]]:
        """Yield all lines of `rereadable` inputs at the speed of the page cache. Raises `StorageFailed`."""
        limit = _LineLimit(self.first)
        for file in self.files:
            splitter = self._splitter(file)
            for chunk in _chunks(self.disk, file):
                if lines := limit.cut(splitter.feed(chunk)):
                    yield lines
                if limit.reached:
                    return
            if lines := limit.cut(splitter.finish()):
                yield lines

    def batches(self) -> AsyncIterator[list[InputLine]]:
        """Yield all lines, at most a few hundred KB at a time. Streams are read in a thread.

        The iterator raises `StorageFailed` if an input cannot be read.
        """
        if self.rereadable:
            return _Scanned(self.scan())
        return _Streamed(((file, self._splitter(file)) for file in self.files), _LineLimit(self.first))

    def close(self) -> None:
        """Close the regular files; a stream is closed at its end."""
        self.disk.close()

    def name_of(self, line: InputLine) -> str:
        """Return where the line is, for messages: ``line 12 of jobs.jsonl``."""
        return f"line {line.number:,} of {line.source or self.files[0].name}"

    def _splitter(self, file: InputFile) -> LineSplitter:
        return LineSplitter(file.name if len(self.files) > 1 else None, self.max_line)


def open_inputs(
    names: Sequence[str], *, first: int | None = None, max_line: int = DEFAULT_MAX_LINE
) -> Inputs:
    """Check the inputs (``-`` is standard input). Raises `RunRefused` if one cannot be read."""
    disk = FileDisk()
    return Inputs(files=[_inspect(name, disk) for name in names], disk=disk, first=first, max_line=max_line)


@attrs.define
class FileDisk:
    """Reads regular files, following symbolic links, and keeps them open."""

    _fds: dict[Path, int] = attrs.field(factory=dict[Path, int])

    def read(self, path: Path, offset: int, size: int) -> bytes:
        fd = self._fds.get(path)
        if fd is None:
            fd = self._fds[path] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return os.pread(fd, size, offset)

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.popitem()[1])


def _inspect(name: str, disk: FileDisk) -> InputFile:
    if name == "-":
        return InputFile(path=None, size=None)
    path = Path(name)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise RunRefused(f"{readable(name)} is a directory: name the job files inside it")
        if not stat.S_ISREG(status.st_mode):
            return InputFile(path=path, size=None)
        disk.read(path, 0, 0)
    except OSError as error:
        raise RunRefused(f"cannot read the input {readable(name)}: {error.strerror}") from error
    except ValueError as error:  # a NUL character
        raise RunRefused(f"cannot read the input {name!r}: {error}") from error
    return InputFile(path=path, size=status.st_size)


def _chunks(disk: InputDisk, file: InputFile) -> Iterator[bytes]:
    if file.path is None or file.size is None:
        raise TypeError(f"{file.name} is a stream: it can be read only once, with batches()")
    offset = 0
    while offset < file.size:
        try:
            chunk = disk.read(file.path, offset, min(_CHUNK_SIZE, file.size - offset))
        except OSError as error:
            raise StorageFailed.of("read", file.name, error) from error
        if not chunk:
            raise StorageFailed(f"{file.name} became shorter while it was being read")
        offset += len(chunk)
        yield chunk


@attrs.define
class _LineLimit:
    """How many more lines to return; None: all."""

    _count: int | None

    @property
    def reached(self) -> bool:
        return self._count == 0

    def cut(self, lines: list[InputLine]) -> list[InputLine]:
        if self._count is None:
            return lines
        lines = lines[: self._count]
        self._count -= len(lines)
        return lines


@attrs.define
class _Scanned(AsyncIterator[list[InputLine]]):
    """A scan that lets other tasks run after each chunk. Not an async generator, so it needs no closing."""

    _scan: Iterator[list[InputLine]]

    async def __anext__(self) -> list[InputLine]:
        await trio.lowlevel.checkpoint()
        for lines in self._scan:
            return lines
        raise StopAsyncIteration


@attrs.define
class _Streamed(AsyncIterator[list[InputLine]]):
    """Lines of files that may make their reader wait: each read runs in a thread."""

    _files: Iterator[tuple[InputFile, LineSplitter]]
    _limit: _LineLimit
    _open: tuple[InputFile, int, LineSplitter] | None = None

    async def __anext__(self) -> list[InputLine]:
        while not self._limit.reached:
            if self._open is None and not await self._open_next():
                break
            if lines := self._limit.cut(await self._read()):
                return lines
        raise StopAsyncIteration

    async def _open_next(self) -> bool:
        for file, splitter in self._files:
            path = file.path
            fd = _STDIN if path is None else await _in_thread(file, partial(os.open, path, os.O_RDONLY))
            self._open = file, fd, splitter
            return True
        return False

    async def _read(self) -> list[InputLine]:
        if self._open is None:
            return []
        file, fd, splitter = self._open
        if chunk := await _in_thread(file, partial(os.read, fd, _CHUNK_SIZE)):
            return splitter.feed(chunk)
        self._open = None
        if fd != _STDIN:
            os.close(fd)
        return splitter.finish()


async def _in_thread(file: InputFile, call: Callable[[], _T]) -> _T:
    # Abandoned on cancel: nothing may ever open the FIFO for writing, and the program must be able to exit.
    try:
        return await trio.to_thread.run_sync(call, abandon_on_cancel=True)
    except OSError as error:
        raise StorageFailed.of("read", file.name, error) from error
