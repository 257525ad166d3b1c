"""Inputs as lists of lines: files, FIFOs, standard input; and the scan before the run."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
import trio

from headrace._exceptions import BadLine, RunRefused, StorageFailed
from headrace.dialects import LineFormat
from headrace.input.files import InputFile, Inputs, open_inputs
from headrace.input.identity import derived_id, digest
from headrace.input.lines import InputLine
from headrace.input.scan import InputScan, OnBadLine, OnDuplicate, scan_inputs
from headrace.job import JobRequest
from tests.runner.disk import SimulatedDisk, io_error


async def gather(pieces: AsyncIterator[list[InputLine]]) -> list[tuple[str | None, int, bytes]]:
    return [(line.source, line.number, line.text) async for lines in pieces for line in lines]


def scanned(inputs: Inputs) -> list[tuple[str | None, int, bytes]]:
    return [(line.source, line.number, line.text) for lines in inputs.scan() for line in lines]


def write(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return str(path)


@pytest.mark.trio
async def test_the_scan_and_the_run_see_the_same_lines(tmp_path: Path) -> None:
    name = write(tmp_path / "a", b"".join(b'{"n":%d}\n' % number for number in range(100_000)) + b"last")
    inputs = open_inputs([name])
    lines = await gather(inputs.batches())

    assert inputs.rereadable
    assert lines == scanned(inputs)
    assert (len(lines), lines[-1]) == (100_001, (None, 100_001, b"last"))
    inputs.close()


@pytest.mark.trio
async def test_several_files_follow_each_other_with_numbers_of_their_own(tmp_path: Path) -> None:
    one, two = write(tmp_path / "one", b"a\nb"), write(tmp_path / "two", b"\xef\xbb\xbfc\n\nd\n")
    inputs = open_inputs([one, two])

    assert await gather(inputs.batches()) == [(one, 1, b"a"), (one, 2, b"b"), (two, 1, b"c"), (two, 3, b"d")]
    inputs.close()


@pytest.mark.parametrize(("first", "count"), [(0, 0), (1, 1), (3, 3), (4, 4), (9, 4)])
@pytest.mark.trio
async def test_the_first_lines_are_counted_over_all_files(tmp_path: Path, first: int, count: int) -> None:
    names = [write(tmp_path / "one", b"a\n\nb\n"), write(tmp_path / "two", b"c\nd\n")]
    inputs = open_inputs(names, first=first)

    assert [text for _, _, text in await gather(inputs.batches())] == [b"a", b"b", b"c", b"d"][:count]
    assert len(scanned(inputs)) == count
    inputs.close()


@pytest.mark.trio
async def test_lines_that_are_appended_during_the_run_wait_for_the_next(tmp_path: Path) -> None:
    name = write(tmp_path / "a", b"a\nb")
    inputs = open_inputs([name])
    write(tmp_path / "a", b"a\nbc\nd\n")

    assert [text for _, _, text in await gather(inputs.batches())] == [b"a", b"b"]
    inputs.close()


@pytest.mark.parametrize("name", ["missing", "folder"])
def test_what_cannot_be_read_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(RunRefused) as caught:
        open_inputs([str(tmp_path / name)])

    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_input_may_be_a_symbolic_link(tmp_path: Path) -> None:
    write(tmp_path / "data", b"a\n")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    inputs = open_inputs([str(tmp_path / "link")])

    assert [text for _, _, text in scanned(inputs)] == [b"a"]
    inputs.close()


@pytest.mark.trio
async def test_a_fifo_is_read_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    inputs = open_inputs([str(path)])
    writer = threading.Thread(target=path.write_bytes, args=(b"a\r\n" + b"x" * 300_000 + b"\nb",))
    writer.start()
    texts = [text for _, _, text in await gather(inputs.batches())]
    await trio.to_thread.run_sync(writer.join)

    assert not inputs.rereadable
    assert texts == [b"a", b"x" * 300_000, b"b"]


@pytest.mark.trio
async def test_a_fifo_and_a_file_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    name = write(tmp_path / "file", b"c\nd\n")
    inputs = open_inputs([str(path), name], first=3)
    writer = threading.Thread(target=path.write_bytes, args=(b"a\nb\n",))
    writer.start()
    texts = [text for _, _, text in await gather(inputs.batches())]
    await trio.to_thread.run_sync(writer.join)

    assert texts == [b"a", b"b", b"c"]


@pytest.mark.trio
async def test_standard_input_is_a_stream(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fd = os.open(write(tmp_path / "a", b"a\nb\n"), os.O_RDONLY)
    monkeypatch.setattr("headrace.input.files._STDIN", fd)
    inputs = open_inputs(["-"])

    assert [text for _, _, text in await gather(inputs.batches())] == [b"a", b"b"]
    assert inputs.name_of(InputLine(2, None, b"b")) == "line 2 of standard input"
    os.close(fd)


@pytest.mark.trio
async def test_waiting_for_a_fifo_can_be_cancelled(tmp_path: Path) -> None:
    """Nothing may ever write to it, and Ctrl-C must end the program."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    keeper = os.open(path, os.O_RDWR)
    with trio.move_on_after(0.01) as scope:
        await gather(open_inputs([str(path)]).batches())
    os.close(keeper)

    assert scope.cancelled_caught


def test_a_stream_cannot_be_scanned() -> None:
    with pytest.raises(TypeError, match="read only once"):
        scanned(open_inputs(["-"]))


def test_a_disk_that_fails_ends_the_run() -> None:
    class Broken(SimulatedDisk):
        def read(self, path: Path, offset: int, size: int) -> bytes:
            raise io_error()

    inputs = Inputs(files=[InputFile(path=Path("a"), size=5)], disk=Broken())
    with pytest.raises(StorageFailed, match="cannot read a: Input/output error"):
        scanned(inputs)


def identify(line: bytes) -> str | None:
    try:
        found = msgspec.json.decode(line, type=dict[str, object]).get("id")
    except msgspec.MsgspecError as error:
        raise BadLine("not JSON") from error
    return None if found is None else str(found)


def read(line: bytes) -> JobRequest:
    if b"bad" in line:
        raise BadLine("bad inside")
    return JobRequest(path="/", body=line, model="m", max_tokens=None, stream=False)


FORMAT = LineFormat(name="test", recipe={}, identify=identify, check_first=lambda _: None, read=read)
"""A JSON object with or without an ``id``; only `read` notices the ``bad`` ones."""


def inputs_of(*contents: bytes, max_line: int = 1000) -> Inputs:
    disk = SimulatedDisk()
    files: list[InputFile] = []
    for number, content in enumerate(contents):
        path = Path(f"in{number}.jsonl")
        disk.put(path, content)
        files.append(InputFile(path=path, size=len(content)))
    return Inputs(files=files, disk=disk, max_line=max_line)


def scan(
    *contents: bytes,
    on_duplicate: OnDuplicate = "refuse",
    on_bad_line: OnBadLine = "record",
    max_line: int = 1000,
) -> InputScan:
    inputs = inputs_of(*contents, max_line=max_line)
    return scan_inputs(inputs, FORMAT, on_duplicate=on_duplicate, on_bad_line=on_bad_line)


def names(found: InputScan, lines: Sequence[bytes]) -> list[tuple[str, bool]]:
    identities = found.identities()
    return [identities.name(identify(line), digest(line)) for line in lines]


def test_a_scan_counts_jobs_and_bad_lines() -> None:
    found = scan(b'{"id":1}\n\n{"q":1}\nbad\n{"q":1}\n' + b"x" * 50 + b"\n", max_line=40)

    assert (found.jobs, found.bad_lines, found.duplicates) == (3, 2, 0)


def test_equal_lines_without_ids_are_not_duplicates() -> None:
    lines = [b'{"q":1}', b'{"q":2}', b'{"q":1}']
    found = scan(b"\n".join(lines))

    assert names(found, lines) == [
        (derived_id(digest(line), n), True) for line, n in zip(lines, [0, 0, 1], strict=True)
    ]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([b'{"id":"a"}\n{"id":"b"}\n\n{"id":"a","q":1}\n'], "line 1 of in0.jsonl and line 4 of in0.jsonl"),
        ([b'{"id":"a"}\n{"id":"a"}\n'], "line 1 of in0.jsonl and line 2 of in0.jsonl"),
        ([b'{"id":"b"}\n{"id":"a"}\n', b'{"id":"a"}\n'], "line 2 of in0.jsonl and line 1 of in1.jsonl"),
    ],
)
def test_duplicate_ids_are_refused_with_both_lines(contents: list[bytes], message: str) -> None:
    """P6."""
    with pytest.raises(RunRefused, match=message + " have the same id 'a'"):
        scan(*contents)


def test_an_id_that_another_line_would_derive_is_a_duplicate() -> None:
    plain = b'{"q":1}'
    taken = b'{"id":"%s"}' % derived_id(digest(plain), 1).encode()
    assert scan(plain + b"\n" + taken).jobs == 2
    with pytest.raises(RunRefused, match=r"line [23] of in0\.jsonl and line [23] of"):
        scan(b"\n".join([plain, taken, plain]))


def test_ids_that_look_derived_are_distinguished() -> None:
    """Results that become jobs carry the ids of an earlier run."""
    lines = [b'{"id":"r-0123456789abcdef-%d"}' % number for number in (0, 1, 2)]
    found = scan(b"\n".join(lines))

    assert found.jobs == 3
    assert all(is_new for _, is_new in names(found, lines))


def test_the_first_of_several_can_be_kept() -> None:
    lines = [b'{"id":"a"}', b'{"id":"b"}', b'{"id":"a","q":2}', b'{"id":"a"}', b'{"q":1}']
    found = scan(b"\n".join(lines), on_duplicate="first")

    assert (found.jobs, found.duplicates) == (3, 2)
    assert [is_new for _, is_new in names(found, lines)] == [True, True, False, False, True]


@pytest.mark.parametrize("line", [b'{"id":2,"q":"bad"}', b"{", b"x" * 1001])
def test_bad_lines_can_be_refused_before_anything_is_sent(line: bytes) -> None:
    """P12."""
    content = b'{"id":1}\n' + line + b"\n"
    assert scan(content).jobs in (1, 2)
    with pytest.raises(RunRefused, match=r"line 2 of in0\.jsonl cannot be parsed: "):
        scan(content, on_bad_line="refuse")
