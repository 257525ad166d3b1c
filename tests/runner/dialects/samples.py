"""Answers and values that the tests of the dialects share."""

from __future__ import annotations

import json
from typing import Any

from headrace.dialects import Dialect, make_dialect
from headrace.job import JobRequest, Note, PreparedJob
from headrace.policy.options import RequestOptions
from headrace_client.transport.sender import Response

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 11, "output_tokens": 36},
}

COMPLETION: dict[str, Any] = {
    "id": "chatcmpl_1",
    "object": "chat.completion",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 11, "completion_tokens": 36},
}

NOTE = Note(line=7, digest="0123456789abcdef", recipe="01234567", attempts=2, request_id="req_1")


def dialect(name: str, **options: Any) -> Dialect:
    """A dialect; rows get the options that they cannot do without."""
    needed: dict[str, Any] = {"model": "m", "prompt": "{q}"} if name == "rows" else {}
    return make_dialect(name, RequestOptions(**{**needed, **options}))


def answer(
    status: int, body: object, *, head: bytes = b"HTTP/1.1 200 OK\r\nrequest-id: req_1\r\n\r\n"
) -> Response:
    """An answer; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, head=head, body=content, started_at=0, first_byte_at=0, finished_at=0)


def request(path: str = "/v1/messages", **fields: Any) -> JobRequest:
    """A request to a path."""
    return JobRequest(path=path, body=b"{}", model="m", max_tokens=16, stream=True, **fields)


def line(value: object) -> bytes:
    """A line of input."""
    return json.dumps(value).encode()


def job(name: str, text: bytes, job_id: str = "a-1") -> PreparedJob:
    """The job of a line."""
    return PreparedJob(
        id=job_id, line=7, source=None, digest=NOTE.digest, request=dialect(name).lines.read(text)
    )
