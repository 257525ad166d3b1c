"""Six operations on files: all that the runner asks of a disk.

Small enough that a simulated disk can stand in for it in tests (page cache, torn writes, full
disk, power loss), and that what each promise needs of the real one can be read here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


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
        """Hold the file (made 0600 if missing) for this process until it ends. Raises `BlockingIOError` if held."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Put ``old`` in the place of ``new``, atomically, and make that survive a power failure."""
        ...
