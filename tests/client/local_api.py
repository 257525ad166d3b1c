"""A small API on the loopback interface, for the examples of the documentation."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from headrace_client.testing import sse
from tests.client.http_server import QuietHandler, http_server

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-5-5",
    "content": [{"type": "text", "text": "One, two, three."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 9, "output_tokens": 6},
}
EVENTS = sse(
    ("message_start", {"message": {**MESSAGE, "content": [], "stop_reason": None}}),
    ("ping", {"type": "ping"}),
    ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "One, two"}}),
    ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": ", three."}}),
    ("content_block_stop", {"index": 0}),
    ("message_delta", {"delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 6}}),
    ("message_stop", {}),
)
BATCH: dict[str, Any] = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "ended",
    "request_counts": {"processing": 0, "succeeded": 1, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2025-01-01T00:00:00Z",
    "expires_at": "2025-01-02T00:00:00Z",
}
NOT_FOUND = {"type": "error", "error": {"type": "not_found_error", "message": "no such thing"}}


def models(after: str | None) -> dict[str, Any]:
    """Return one of two pages of models."""
    names = ["c"] if after else ["a", "b"]
    made = {"type": "model", "created_at": "2025-02-19T00:00:00Z"}
    data = [{"id": name, "display_name": name.upper(), **made} for name in names]
    return {"data": data, "has_more": not after, "first_id": names[0], "last_id": names[-1]}


class _Handler(QuietHandler):
    def do_GET(self) -> None:  # noqa: N802  # the base class's name
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        host = self.headers["host"]
        match path:
            case "/v1/models":
                self._answer(models(query.get("after_id", [None])[0]))
            case "/v1/messages/batches/msgbatch_1":
                self._answer({**BATCH, "results_url": f"http://{host}{path}/results"})
            case "/v1/messages/batches/msgbatch_1/results":
                self._answer({"custom_id": "first", "result": {"type": "succeeded", "message": MESSAGE}})
            case "/health":
                self._answer({"status": "fine"})
            case _:
                self._answer(NOT_FOUND, status=404)

    def do_POST(self) -> None:  # noqa: N802  # the base class's name
        body = json.loads(self.body())
        match urlsplit(self.path).path:
            case "/v1/messages" if body.get("stream"):
                self._send(b"".join(chunk for chunk in EVENTS.chunks if isinstance(chunk, bytes)))
            case "/v1/messages" if "output_config" in body:
                text = json.dumps({"name": "Ada", "age": 36})
                self._answer({**MESSAGE, "content": [{"type": "text", "text": text}]})
            case "/v1/messages":
                self._answer(MESSAGE)
            case "/v1/messages/count_tokens":
                self._answer({"input_tokens": 7})
            case "/v1/messages/batches":
                self._answer({**BATCH, "processing_status": "in_progress"})
            case _:
                self._answer(body)

    def _answer(self, value: object, *, status: int = 200) -> None:
        self._send(json.dumps(value).encode(), "application/json", status)

    def _send(self, body: bytes, content_type: str = "text/event-stream", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.send_header("request-id", "req_1")
        self.send_header("anthropic-ratelimit-requests-limit", "4000")
        self.send_header("anthropic-ratelimit-requests-remaining", "3999")
        self.end_headers()
        self.wfile.write(body)


def local_api() -> AbstractContextManager[str]:
    """Serve the API and yield its URL."""
    return http_server(_Handler)
