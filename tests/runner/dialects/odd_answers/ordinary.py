"""What an ordinary server sends: whole answers, and the events of streamed ones."""

from __future__ import annotations

import json
import random
from typing import Any

from .values import Json


def message(text: str) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 11, "output_tokens": 36},
    }


def completion(text: str) -> Json:
    message = {"role": "assistant", "content": text}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 36},
    }


def sse(value: object, name: str | None = None) -> bytes:
    data = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return (b"" if name is None else b"event: " + name.encode() + b"\n") + b"data: " + data + b"\n\n"


def parts(text: str, generator: random.Random) -> list[str]:
    cuts = sorted(generator.sample(range(4, len(text)), 3))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


def message_events(text: str, generator: random.Random) -> list[bytes]:
    start: Json = {**message(text), "content": [], "stop_reason": None}
    values: list[Json] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
            for part in parts(text, generator)
        ),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 36}},
        {"type": "message_stop"},
    ]
    return [sse(value, value["type"]) for value in values]


def chunk(delta: Json, finish_reason: str | None = None, **choice: Any) -> Json:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish_reason, **choice}]
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}


def chunks(text: str, generator: random.Random) -> list[bytes]:
    usage = {"prompt_tokens": 11, "completion_tokens": 36}
    return [
        sse(chunk({"role": "assistant", "content": ""})),
        *(sse(chunk({"content": part})) for part in parts(text, generator)),
        sse(chunk({}, "stop")),
        sse({**chunk({}), "choices": [], "usage": usage}),
        sse(b"[DONE]"),
    ]


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
