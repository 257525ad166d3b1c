"""A simulated disk: page cache, sync, locks, faults at the k-th call, kills and power failures.

It models this of a real disk: written bytes are visible at once and survive a kill. A power failure keeps
what was synced; of the rest, any page may be zeros and any part of the end may be missing. A new file's name
is durable after a sync of the file or a rename. Renames are durable and atomic.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import attrs

PAGE = 512
"""Bytes. Smaller than a real page, so that short histories have many pages."""


@attrs.define
class SimulatedFile:
    cached: bytes = b""
    synced: bytes | None = None
    """None: a power failure does not even leave the name."""


@attrs.define
class Platters:
    """What all processes share: files, locks, and paths that are directories or links."""

    files: dict[Path, SimulatedFile] = attrs.field(factory=dict[Path, SimulatedFile])
    locks: dict[Path, object] = attrs.field(factory=dict[Path, object])
    directories: set[Path] = attrs.field(factory=set[Path])
    links: set[Path] = attrs.field(factory=set[Path])


class Killed(BaseException):
    """The process dies here, after an append has taken ``taken`` of its bytes."""

    def __init__(self, taken: int = 0) -> None:
        super().__init__()
        self.taken = taken


Fault = OSError | Killed | int
"""Raised instead of the operation, or the number of bytes that an append takes."""


@attrs.define
class SimulatedDisk:
    """One process's view of the platters: a `headrace.output.storage.Storage`, and a disk for inputs."""

    platters: Platters = attrs.field(factory=Platters)
    faults: dict[int, Fault] = attrs.field(factory=dict[int, Fault])
    """By the number of the call that changes the disk (append, truncate, sync, rename), from 0."""
    calls: int = 0

    def append(self, path: Path, data: bytes) -> int:
        fault = self._next_fault()
        file = self._made(path)
        if isinstance(fault, OSError):
            raise fault
        taken = fault.taken if isinstance(fault, Killed) else fault
        file.cached += data[:taken]
        if isinstance(fault, Killed):
            raise fault
        return len(data[:taken])

    def sync(self, path: Path) -> None:
        self._change()
        file = self._made(path)
        file.synced = file.cached

    def truncate(self, path: Path, size: int) -> None:
        self._change()
        file = self._made(path)
        file.cached = file.cached[:size].ljust(size, b"\0")

    def read(self, path: Path, offset: int, size: int) -> bytes:
        self._check(path)
        if path not in self.platters.files:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self.platters.files[path].cached[offset : offset + size]

    def lock(self, path: Path) -> None:
        self._made(path)
        if self.platters.locks.setdefault(path, self) is not self:
            raise BlockingIOError(errno.EWOULDBLOCK, os.strerror(errno.EWOULDBLOCK))

    def rename(self, old: Path, new: Path) -> None:
        self._change()
        file = self.platters.files.pop(old)
        file.synced = file.synced or b""  # the name is durable; what was not synced before is not
        self.platters.files[new] = file

    def close(self) -> None:
        for path in [path for path, holder in self.platters.locks.items() if holder is self]:
            del self.platters.locks[path]

    def content(self, path: Path) -> bytes:
        return self.platters.files[path].cached

    def put(self, path: Path, content: bytes) -> None:
        self.platters.files[path] = SimulatedFile(content, content)

    def restarted(self, faults: dict[int, Fault] | None = None) -> SimulatedDisk:
        """The disk of the next process, after this one was killed."""
        self.close()
        return SimulatedDisk(self.platters, faults or {})

    def after_power_failure(self, rng: Random) -> SimulatedDisk:
        """The disk of the next process, after a power failure: the platters hold what had reached them."""
        self.close()
        for path, file in list(self.platters.files.items()):
            survived = _survived(file, rng)
            if survived is None:
                del self.platters.files[path]
            else:
                self.platters.files[path] = SimulatedFile(survived, survived)
        return SimulatedDisk(self.platters)

    def _change(self) -> None:
        fault = self._next_fault()
        if isinstance(fault, OSError | Killed):
            raise fault

    def _next_fault(self) -> Fault | None:
        self.calls += 1
        return self.faults.get(self.calls - 1)

    def _made(self, path: Path) -> SimulatedFile:
        self._check(path)
        return self.platters.files.setdefault(path, SimulatedFile())

    def _check(self, path: Path) -> None:
        if path in self.platters.directories:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if path in self.platters.links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path))


def disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def io_error() -> OSError:
    return OSError(errno.EIO, os.strerror(errno.EIO))


def _survived(file: SimulatedFile, rng: Random) -> bytes | None:
    """What a power failure leaves of a file, or None if it does not even leave the name."""
    if file.synced is None and rng.random() < 0.5:
        return None
    durable = file.synced or b""
    if not file.cached.startswith(
        durable
    ):  # cut since the last sync: the cut may or may not have reached the platter
        return rng.choice((durable, file.cached))
    size = rng.randint(len(durable), len(file.cached))
    survived = bytearray(file.cached[:size])
    for start in range(len(durable), size, PAGE):
        page_end = min(size, (start // PAGE + 1) * PAGE)
        if rng.random() < 0.3:
            survived[start:page_end] = bytes(page_end - start)
    return bytes(survived)
