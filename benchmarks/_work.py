"""The work of a benchmark: a job file, the answer to each job, and the check of the output."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import msgspec

_PROMPT = "In one paragraph, say what a headrace is and why the water in it has to run so evenly. " * 10
_TEXT = "A headrace is the channel that leads water from the weir to the wheel of a mill. " * 9
NAMELESS = "msg_0123456789abcdef"
"""The id of each answer from a server that cannot name the request."""


def answer_to(message_id: str) -> bytes:
    """Return the body of each response: a Message of 1 KB."""
    return msgspec.json.encode(
        {
            "id": message_id,
            "type": "message",
            "role": "assistant",
            "model": "claude-sonnet-5-5",
            "content": [{"type": "text", "text": _TEXT}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 210, "output_tokens": 180, "service_tier": "standard"},
        }
    )


def stream_of(message_id: str) -> bytes:
    """Return the same message as an SSE stream."""
    message = msgspec.json.decode(answer_to(message_id))
    words = _TEXT.split(" ")
    deltas = [" ".join(words[at : at + 8]) + " " for at in range(0, len(words), 8)]
    usage = message["usage"]
    events: list[tuple[str, dict[str, object]]] = [
        ("message_start", {"message": message | {"content": [], "stop_reason": None}}),
        ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        *(
            ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": text}})
            for text in deltas
        ),
        ("content_block_stop", {"index": 0}),
        ("message_delta", {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": usage}),
        ("message_stop", {}),
    ]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode({"type": name, **fields}))
        for name, fields in events
    )


def write_jobs(path: Path, count: int, *, stream: bool = False) -> Path:
    """Write a job file in the batch format, with lines of about 1 KB. Each ``user_id`` names the job."""
    with path.open("wb") as file:
        for number in range(count):
            name = f"job-{number}"
            params: dict[str, object] = {
                "model": "claude-sonnet-5-5",
                "max_tokens": 256,
                "metadata": {"user_id": name},
                "messages": [{"role": "user", "content": _PROMPT}],
            }
            if stream:
                params["stream"] = True
            file.write(msgspec.json.encode({"custom_id": name, "params": params}) + b"\n")
    return path


class Content(msgspec.Struct):
    """A block of an answer."""

    type: str
    text: str | None = None


class Message(msgspec.Struct):
    """An answer."""

    id: str
    content: list[Content]


class Result(msgspec.Struct):
    """The result of a job."""

    message: Message


class Record(msgspec.Struct):
    """The parts of an output line that are checked."""

    custom_id: str
    result: Result

    @property
    def text(self) -> str:
        """The answer's text."""
        return "".join(block.text or "" for block in self.result.message.content)


@attrs.frozen
class Checked:
    """The numbers of right and wrong records in an output."""

    right: int
    wrong: int
    """Duplicates, records of an unknown or another job, and wrong texts. Missing records count as neither."""


def check_output(path: Path, count: int, *, named: bool) -> Checked:
    """Check every record against its job. ``named``: the answers name the request."""
    seen: set[str] = set()
    wrong = 0
    for record in read_records(path):
        job = record.custom_id if record is not None else ""
        if record is None or job in seen or not _is_right(record, named=named):
            wrong += 1
        else:
            seen.add(job)
    unknown = sum(not 0 <= int(job.removeprefix("job-")) < count for job in seen)
    return Checked(right=len(seen) - unknown, wrong=wrong + unknown)


def read_records(path: Path) -> Iterator[Record | None]:
    """Yield the record of each line, or None for a line that is not a record."""
    decoder = msgspec.json.Decoder(Record)
    with path.open("rb") as file:
        for line in file:
            try:
                yield decoder.decode(line)
            except msgspec.MsgspecError:
                yield None


def _is_right(record: Record, *, named: bool) -> bool:
    expected = f"msg_{record.custom_id}" if named else NAMELESS
    return record.result.message.id == expected and record.text.strip() == _TEXT.strip()
