"""Six operations on files: everything that the runner needs of a disk.

They are few enough for tests to replace the disk by a simulated one (page cache, torn writes, full disk,
power loss), and to see here what each durability promise needs of the real one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

import attrs

from headrace._exceptions import StorageFailed

_STATE_SUFFIX = ".headrace"
_CHUNK_SIZE = 1024 * 1024
_TO_THE_END = 2**63
_NEVER_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


class Storage(Protocol):
    """A disk. Files are named by path and kept open as needed. Errors are `OSError`."""

    def append(self, path: Path, data: bytes) -> int:
        """Append to the file, creating it if needed; return how many bytes were written, perhaps not all."""
        ...

    def sync(self, path: Path) -> None:
        """Return once everything appended, and the file's name, would survive a power failure."""
        ...

    def truncate(self, path: Path, size: int) -> None:
        """Truncate the file to ``size`` bytes, creating it if needed."""
        ...

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, ``b""`` at the end. Raises `FileNotFoundError`."""
        ...

    def lock(self, path: Path) -> None:
        """Lock the file, created with mode 0600 if needed, until the process ends.

        Raises `BlockingIOError` if another process holds the lock.
        """
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Atomically rename ``old`` to ``new``, replacing it, and make that survive a power failure."""
        ...


@attrs.define
class DiskStorage:
    """The real disk: regular files only, never through a symbolic link. Close it with `close` or ``with``.

    Locks last until it is closed.
    """

    _readers: dict[Path, int] = attrs.field(factory=dict[Path, int])
    _writers: dict[Path, int] = attrs.field(factory=dict[Path, int])
    _locks: dict[Path, int] = attrs.field(factory=dict[Path, int])
    _named: set[Path] = attrs.field(factory=set[Path])
    """Files whose directory entry is known to be on the disk."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def append(self, path: Path, data: bytes) -> int:
        return os.write(self._writer(path), data)

    def sync(self, path: Path) -> None:
        os.fsync(self._writer(path))
        if path not in self._named:
            _sync_directory(path.parent)
            self._named.add(path)

    def truncate(self, path: Path, size: int) -> None:
        os.ftruncate(self._writer(path), size)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        fd = self._readers.get(path)
        if fd is None:
            # O_NONBLOCK: opening a FIFO would wait for a writer.
            fd = self._readers[path] = _open_regular(path, os.O_RDONLY | os.O_NONBLOCK)
        return os.pread(fd, size, offset)

    def lock(self, path: Path) -> None:
        if path in self._locks:
            return
        fd = _open_regular(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(fd, 0o600)
        except OSError:
            os.close(fd)
            raise
        self._locks[path] = fd
        _close_all(self._readers)  # the previous holder may have replaced files that were read before

    def rename(self, old: Path, new: Path) -> None:
        os.rename(old, new)  # noqa: PTH104  (the path is a name here, as in the other operations)
        for path in (old, new):
            self._forget(path)
        _sync_directory(new.parent)

    def close(self) -> None:
        """Close all files and release the locks."""
        for files in (self._readers, self._writers, self._locks):
            _close_all(files)

    def _writer(self, path: Path) -> int:
        fd = self._writers.get(path)
        if fd is None:
            mode = 0o600 if path.suffix == _STATE_SUFFIX else 0o666
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
            fd = self._writers[path] = _open_regular(path, flags, mode)
        return fd

    def _forget(self, path: Path) -> None:
        self._named.discard(path)
        for files in (self._readers, self._writers):
            if (fd := files.pop(path, None)) is not None:
                os.close(fd)


@attrs.define
class LineFile:
    """The only writer of a file of whole lines: each append is written completely, or not at all."""

    _storage: Storage
    path: Path
    size: int
    """Bytes of whole lines in the file."""
    _damaged: bool = False
    _unsynced: bool = attrs.field(default=attrs.Factory(lambda self: self.size > 0, takes_self=True))
    """True for what an earlier run has left, too: it may have died before its sync."""

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises `StorageFailed`, after cutting off what a failing disk wrote of them."""
        if self._damaged:
            raise StorageFailed(f"{self.path} cannot be written to after an earlier failure")
        with storage_errors("write", self.path):
            try:
                append_all(self._storage, self.path, lines)
            except OSError:
                self._cut_back()
                raise
        self.size += len(lines)
        self._unsynced = True

    def sync(self) -> None:
        """Return once all lines appended before would survive a power failure.

        Raises `StorageFailed`: it is then unknown what is on the disk, a second sync would not reveal it, and
        nothing more is appended. May run in a thread while lines are appended.
        """
        if not self._unsynced:
            return
        self._unsynced = False  # before the call: what is appended meanwhile is up to the next sync
        try:
            with storage_errors("flush", self.path):
                self._storage.sync(self.path)
        except StorageFailed:
            self._damaged = True
            raise

    def _cut_back(self) -> None:
        try:
            self._storage.truncate(self.path, self.size)
        except OSError:
            # Half a line remains. Nothing is appended to it, so the next run treats it as a torn end.
            self._damaged = True


@contextmanager
def storage_errors(action: str, path: Path) -> Generator[None]:
    """Turn `OSError` into `StorageFailed`: what could not be done with which file, and why."""
    try:
        yield
    except OSError as error:
        raise StorageFailed.of(action, path, error) from error


def exists(storage: Storage, path: Path) -> bool:
    """Return whether there is such a file. Raises `OSError` if that cannot be found out."""
    try:
        storage.read(path, 0, 0)
    except FileNotFoundError:
        return False
    return True


def read_all(storage: Storage, path: Path) -> Iterator[bytes]:
    """Yield the file in chunks; nothing if there is no such file. Raises `StorageFailed`."""
    with storage_errors("read", path):
        try:
            yield from read_chunks(storage, path, 0, _TO_THE_END)
        except FileNotFoundError:
            return


def read_chunks(storage: Storage, path: Path, start: int, end: int) -> Iterator[bytes]:
    """Yield the bytes from ``start`` up to ``end`` in chunks. Raises `OSError`."""
    while start < end and (chunk := storage.read(path, start, min(_CHUNK_SIZE, end - start))):
        yield chunk
        start += len(chunk)


def append_all(storage: Storage, path: Path, data: bytes) -> None:
    """Append all data, in as many writes as it takes. Raises `OSError` with part of it in the file."""
    view = memoryview(data)
    while view:
        taken = storage.append(path, bytes(view))
        if not taken:
            raise OSError("the disk accepts no more data")
        view = view[taken:]


def _close_all(files: dict[Path, int]) -> None:
    while files:
        os.close(files.popitem()[1])


def _open_regular(path: Path, flags: int, mode: int = 0o666) -> int:
    fd = os.open(path, flags | _NEVER_FOLLOW, mode)
    file_mode = os.fstat(fd).st_mode
    if not stat.S_ISREG(file_mode):
        os.close(fd)
        code = errno.EISDIR if stat.S_ISDIR(file_mode) else errno.EINVAL
        raise OSError(code, "not a regular file", str(path))
    return fd


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
