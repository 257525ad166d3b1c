"""What a `Storage` must do: the same tests for the real and the simulated disk, then tests of each alone."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from headrace._exceptions import StorageFailed
from headrace.output.storage import DiskStorage, LineFile, Storage, append_all
from tests.runner.disk import Fault, SimulatedDisk, disk_full, io_error

MakeStorage = Callable[[], Storage]


@pytest.fixture(params=["real", "simulated"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStorage]:
    """Makes storages of several processes on one disk; a file system in memory or a folder."""
    made: list[DiskStorage | SimulatedDisk] = []
    simulated = SimulatedDisk()
    simulated.platters.directories.add(tmp_path / "folder")
    simulated.platters.links.add(tmp_path / "link")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "target")

    def make() -> Storage:
        storage = DiskStorage() if request.param == "real" else SimulatedDisk(simulated.platters)
        made.append(storage)
        return storage

    yield make
    for storage in made:
        storage.close()


def test_what_is_appended_can_be_read_at_any_offset(make: MakeStorage, tmp_path: Path) -> None:
    storage, path = make(), tmp_path / "a"
    append_all(storage, path, b"one\n")
    append_all(storage, path, b"two\n")

    assert storage.read(path, 0, 100) == b"one\ntwo\n"
    assert storage.read(path, 4, 3) == b"two"
    assert storage.read(path, 8, 3) == b""


def test_appending_nothing_makes_the_file(make: MakeStorage, tmp_path: Path) -> None:
    storage = make()
    storage.append(tmp_path / "a", b"")

    assert storage.read(tmp_path / "a", 0, 1) == b""


def test_a_missing_file_cannot_be_read(make: MakeStorage, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        make().read(tmp_path / "a", 0, 1)


def test_appends_follow_a_cut(make: MakeStorage, tmp_path: Path) -> None:
    storage, path = make(), tmp_path / "a"
    append_all(storage, path, b"one\ntwo")
    storage.truncate(path, 4)
    append_all(storage, path, b"three")
    storage.sync(path)

    assert storage.read(path, 0, 100) == b"one\nthree"


def test_a_rename_replaces_what_was_there(make: MakeStorage, tmp_path: Path) -> None:
    storage, old, new = make(), tmp_path / "old", tmp_path / "new"
    append_all(storage, new, b"before")
    append_all(storage, old, b"after")
    assert storage.read(new, 0, 100) == b"before"
    storage.rename(old, new)
    append_all(storage, new, b"wards")

    assert storage.read(new, 0, 100) == b"afterwards"
    with pytest.raises(FileNotFoundError):
        storage.read(old, 0, 1)


def test_a_lock_keeps_other_processes_out_until_it_ends(make: MakeStorage, tmp_path: Path) -> None:
    mine, other, path = make(), make(), tmp_path / "a.headrace"
    mine.lock(path)
    mine.lock(path)
    with pytest.raises(BlockingIOError):
        other.lock(path)
    assert isinstance(mine, DiskStorage | SimulatedDisk)
    mine.close()
    other.lock(path)


@pytest.mark.parametrize("name", ["folder", "link"])
def test_folders_and_symbolic_links_are_refused(make: MakeStorage, tmp_path: Path, name: str) -> None:
    storage, path = make(), tmp_path / name
    (tmp_path / "target").write_bytes(b"untouched")
    operations: list[Callable[[], object]] = [
        lambda: storage.read(path, 0, 1),
        lambda: storage.append(path, b"x"),
        lambda: storage.truncate(path, 0),
        lambda: storage.lock(path),
    ]
    for operation in operations:
        with pytest.raises(OSError, check=lambda error: error.errno in (errno.EISDIR, errno.ELOOP)):
            operation()
    assert (tmp_path / "target").read_bytes() == b"untouched"


def test_state_files_are_private_and_others_follow_the_umask(tmp_path: Path) -> None:
    """P25."""
    before = os.umask(0o022)
    try:
        with DiskStorage() as storage:
            storage.append(tmp_path / "a.jsonl", b"x")
            storage.append(tmp_path / "b.jsonl.headrace", b"x")
            storage.lock(tmp_path / "c.jsonl.headrace")
    finally:
        os.umask(before)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"a.jsonl": 0o644, "b.jsonl.headrace": 0o600, "c.jsonl.headrace": 0o600}


def test_a_lock_makes_a_state_file_private_again(tmp_path: Path) -> None:
    path = tmp_path / "a.headrace"
    path.touch(0o644)
    with DiskStorage() as storage:
        storage.lock(path)

        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_fifo_is_not_an_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with DiskStorage() as storage:
        with pytest.raises(OSError, match="not a regular file"):
            storage.read(tmp_path / "fifo", 0, 1)
        with pytest.raises(OSError, match=r"not a regular file|No such device"):
            storage.append(tmp_path / "fifo", b"x")


def test_what_was_read_before_the_lock_is_looked_at_again(tmp_path: Path) -> None:
    """The previous holder may have replaced the file in between."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with DiskStorage() as storage:
        storage.read(path, 0, 3)
        (tmp_path / "b").write_bytes(b"new")
        (tmp_path / "b").rename(path)
        storage.lock(tmp_path / "a.headrace")

        assert storage.read(path, 0, 3) == b"new"


PATH = Path("out.jsonl")


def test_short_writes_are_continued() -> None:
    disk = SimulatedDisk(faults={0: 2, 1: 1})
    file = LineFile(disk, PATH, 0)
    file.append(b"a whole line\n")

    assert disk.content(PATH) == b"a whole line\n"
    assert file.size == len(b"a whole line\n")


@pytest.mark.parametrize("fault", [disk_full(), io_error()])
def test_a_failed_write_leaves_nothing_of_its_lines(fault: OSError) -> None:
    """P9: a short write is cut back to the line's start; later lines may still find room."""
    disk = SimulatedDisk(faults={1: 4, 2: fault})
    file = LineFile(disk, PATH, 0)
    file.append(b"one\n")
    with pytest.raises(StorageFailed, match=r"cannot write out\.jsonl: "):
        file.append(b"a long line\n")
    assert disk.content(PATH) == b"one\n"
    file.append(b"two\n")

    assert disk.content(PATH) == b"one\ntwo\n"


def test_a_disk_that_accepts_nothing_has_failed() -> None:
    disk = SimulatedDisk(faults={0: 0})
    with pytest.raises(StorageFailed, match="accepts no more data"):
        LineFile(disk, PATH, 0).append(b"one\n")


def test_nothing_is_written_after_half_a_line_that_could_not_be_cut() -> None:
    """Otherwise two records would end up on one line."""
    faults: dict[int, Fault] = {1: 2, 2: disk_full(), 3: io_error()}
    disk = SimulatedDisk(faults=faults)
    file = LineFile(disk, PATH, 0)
    file.append(b"one\n")
    for _ in range(2):
        with pytest.raises(StorageFailed):
            file.append(b"two\n")

    assert disk.content(PATH) == b"one\ntw"


def test_a_sync_covers_what_an_earlier_run_has_left() -> None:
    """P2: that run may have been killed before its own."""
    disk = SimulatedDisk()
    append_all(disk, PATH, b"one\n")
    later = disk.restarted()

    LineFile(later, PATH, size=4).sync()

    assert later.after_power_failure(Random(5)).content(PATH) == b"one\n"


def test_a_failed_sync_is_final() -> None:
    """P10: the kernel may have dropped the pages; a second sync would lie."""
    disk = SimulatedDisk(faults={1: io_error()})
    file = LineFile(disk, PATH, 0)
    file.append(b"one\n")
    with pytest.raises(StorageFailed, match="flush"):
        file.sync()
    with pytest.raises(StorageFailed, match="cannot be written to"):
        file.append(b"two\n")


def test_a_power_failure_spares_what_was_synced() -> None:
    """The simulated disk itself: unsynced ends are lost, torn or zeroed; synced bytes never are."""
    ends: set[bytes] = set()
    for seed in range(50):
        disk = SimulatedDisk()
        append_all(disk, PATH, b"synced\n")
        disk.sync(PATH)
        append_all(disk, PATH, b"lost\n")
        content = disk.after_power_failure(Random(seed)).content(PATH)
        assert content.startswith(b"synced\n")
        ends.add(content.removeprefix(b"synced\n"))

    assert {b"", b"lost\n", b"lo"} <= ends
    assert any(b"\0" in end for end in ends)


def test_a_sync_reaches_the_file_and_the_first_one_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(fd: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{fd}").readlink()))

    monkeypatch.setattr(os, "fsync", note)
    path = tmp_path / "out.jsonl"
    with DiskStorage() as storage:
        file = LineFile(storage, path, 0)
        for _ in range(2):
            file.append(b"{}\n")
            file.sync()
            file.sync()

    assert synced == [str(path), str(tmp_path), str(path)]
