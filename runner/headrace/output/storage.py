"""Six operations on files: all that the runner asks of a disk.

Small enough that a simulated disk can stand in for it in tests (page cache, torn writes, full
disk, power loss), and that what each promise needs of the real one can be read here.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, Self

import attrs

from headrace._exceptions import StorageFailed

_STATE_SUFFIX = ".headrace"
_NEVER_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


class Storage(Protocol):
    """A disk. Paths name files; the storage keeps them open as it sees fit. Errors are `OSError`."""

    def append(self, path: Path, data: bytes) -> int:
        """Append to the file (made if missing) and return how many bytes were taken: maybe not all."""
        ...

    def sync(self, path: Path) -> None:
        """Return when all that was appended would survive a power failure."""
        ...

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        ...

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, ``b""`` at the end. Raises `FileNotFoundError`."""
        ...

    def lock(self, path: Path) -> None:
        """Hold the file (made 0600 if missing) until the process ends. Raises `BlockingIOError` if held."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Put ``old`` in the place of ``new``, atomically, and make that survive a power failure."""
        ...


@attrs.define
class DiskStorage:
    """The real disk. Regular files only, never through a symbolic link; closed by `close` or ``with``."""

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
        """Append to the file (made if missing) and return how many bytes were taken: maybe not all."""
        return os.write(self._writer(path), data)

    def sync(self, path: Path) -> None:
        """Return when all that was appended, and the file's name, would survive a power failure."""
        os.fsync(self._writer(path))
        if path not in self._named:
            _sync_directory(path.parent)
            self._named.add(path)

    def truncate(self, path: Path, size: int) -> None:
        """Cut the file (made if missing) to ``size`` bytes."""
        os.ftruncate(self._writer(path), size)

    def read(self, path: Path, offset: int, size: int) -> bytes:
        """Return up to ``size`` bytes from ``offset``, ``b""`` at the end. Raises `FileNotFoundError`."""
        fd = self._readers.get(path)
        if fd is None:
            # O_NONBLOCK: a FIFO would wait for somebody who writes.
            fd = self._readers[path] = _open_regular(path, os.O_RDONLY | os.O_NONBLOCK)
        return os.pread(fd, size, offset)

    def lock(self, path: Path) -> None:
        """Hold the file (made 0600 if missing) until `close`. Raises `BlockingIOError` if held."""
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
        _close_all(self._readers)  # whoever held the lock may have replaced what was looked at before

    def rename(self, old: Path, new: Path) -> None:
        """Put ``old`` in the place of ``new``, atomically, and make that survive a power failure."""
        os.rename(old, new)  # noqa: PTH104  (the path is a name here, as in the other operations)
        for path in (old, new):
            self._forget(path)
        _sync_directory(new.parent)

    def close(self) -> None:
        """Close all files and let go of the locks."""
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
    """The one writer of a file of whole lines: either all of what is appended gets there, or nothing."""

    _storage: Storage
    path: Path
    size: int
    """Bytes of whole lines in the file."""
    _damaged: bool = False
    _unsynced: bool = attrs.field(default=attrs.Factory(lambda self: self.size > 0, takes_self=True))
    """Also what an earlier run has left: it may have died before its sync."""

    def append(self, lines: bytes) -> None:
        """Append whole lines. Raises `StorageFailed`, with what a failing disk took of them cut off (P9)."""
        if self._damaged:
            raise StorageFailed(f"{self.path} is not written any more after an earlier failure")
        with storage_errors("write", self.path):
            try:
                append_all(self._storage, self.path, lines)
            except OSError:
                self._cut_back()
                raise
        self.size += len(lines)
        self._unsynced = True

    def sync(self) -> None:
        """Return when all lines appended before would survive a power failure.

        Raises `StorageFailed`: what is on the disk is then unknown, a second sync would not tell, and nothing
        more is appended (P10). May run in a thread while lines are appended.
        """
        if not self._unsynced:
            return
        self._unsynced = False  # before the call: what is appended meanwhile is for the next one
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
            # Half a line stays. With nothing after it, the next run takes it for a torn end.
            self._damaged = True


@contextmanager
def storage_errors(action: str, path: Path) -> Generator[None]:
    """Turn `OSError` into `StorageFailed`: what could not be done with which file, and why."""
    try:
        yield
    except OSError as error:
        raise StorageFailed(f"cannot {action} {path}: {error.strerror or error}") from error


def append_all(storage: Storage, path: Path, data: bytes) -> None:
    """Append all of the data, by as many writes as it takes. Raises `OSError` with part of it in the file."""
    view = memoryview(data)
    while view:
        taken = storage.append(path, bytes(view))
        if not taken:
            raise OSError("the disk takes nothing more")
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
