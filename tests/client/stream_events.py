"""Events of a stream, and how tests open one and read it."""

from __future__ import annotations

from typing import Any

from headrace_client._responses.stream import AsyncStream, Stream
from headrace_client.testing import Reply, ScriptedAPI, sse
from headrace_client.types import RawMessageStreamEvent
from tests.client.backends import Backend, each, settle

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
START = ("message_start", {"type": "message_start", "message": MESSAGE})
PING = ("ping", {"type": "ping"})
BLOCK = ("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}})
TEXT = ("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": "Hi"}})
STOP = ("message_stop", {"type": "message_stop"})
WHOLE = (START, PING, BLOCK, TEXT, ("content_block_stop", {"index": 0}), STOP)
SSE = {"content-type": "text/event-stream", "request-id": "req_1"}


def body(*events: tuple[str, object]) -> bytes:
    return b"".join(chunk for chunk in sse(*events).chunks if isinstance(chunk, bytes))


async def start(
    backend: Backend, *script: Reply, cast_to: Any = RawMessageStreamEvent
) -> tuple[Any, ScriptedAPI]:
    """Return the stream of the first reply of the script."""
    client, api = backend.scripted(*script, max_retries=0)
    stream_cls: Any = AsyncStream if backend.is_async else Stream
    stream = client.post("/v1/x", cast_to=object, stream=True, stream_cls=stream_cls[cast_to])
    return await settle(stream), api


async def first(stream: Any) -> Any:
    """Return the next event, without a generator that would be left unfinished."""
    return await anext(stream) if hasattr(stream, "__anext__") else next(stream)


async def collect(events: Any, seen: list[str]) -> None:
    """Collect the types of the events, even if an error ends them."""
    async for event in each(events):
        seen.append(event.type)  # noqa: PERF401  # an error must not lose those before it
