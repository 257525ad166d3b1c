"""Read the files of an output in the plainest way, without the program's own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs

from tests.runner.disk import SimulatedDisk


@attrs.frozen
class Record:
    """One whole line of an output."""

    line: bytes
    id: str | None
    digest: str
    recipe: str
    text: str
    """The answer; empty for a failure."""
    attempts: int
    maybe_billed: int
    maybe_billed_tokens: tuple[int, int | None]


def whole_records(disk: SimulatedDisk, path: Path) -> list[Record]:
    """The records of a file without a torn end. A whole record that only lacks its LF counts."""
    if path not in disk.platters.files:
        return []
    *lines, rest = disk.content(path).split(b"\n")
    found = [_record(line) for line in lines if b"\0" not in line and line]
    try:
        return [*found, _record(rest)]
    except ValueError:
        return found


def strict_records(disk: SimulatedDisk, path: Path) -> list[Record]:
    """The records of a file after a run has ended. Raises `ValueError` unless every line is whole."""
    if path not in disk.platters.files:
        return []
    content = disk.content(path)
    if content and not content.endswith(b"\n"):
        raise ValueError(f"{path} ends in the middle of a line")
    return [_record(line) for line in content.splitlines()]


def _record(line: bytes) -> Record:
    record: dict[str, Any] = json.loads(line)
    note = record["headrace"]
    message = record["result"].get("message")
    return Record(
        line,
        record["custom_id"],
        note["digest"],
        note["recipe"],
        message["content"][0]["text"] if message else "",
        note.get("attempts", 0),
        note.get("maybe_billed", 0),
        tuple(note.get("maybe_billed_tokens", (0, 0))),
    )
