"""The table: oddities that servers have, and what becomes of an answer that has one."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any, Final

from .changes import (
    as_bytes,
    each_chunk,
    followed_by,
    inserted,
    instead,
    replaced,
    with_choice,
    with_members,
    without,
)
from .ordinary import chunk, dump, sse
from .values import BOTH, CHAT, MESSAGES, Json, Oddity, Verdict


def _annotated(chunk: Json) -> Json:
    """Annotations beside the delta, as a content filter adds them to each chunk."""
    filtered = {"hate": {"filtered": False, "severity": "safe"}}
    return {
        **chunk,
        "choices": [{**choice, "content_filter_results": filtered} for choice in chunk["choices"]],
    }


def _shifted(event: Json) -> Json:
    return {**event, "index": 2 * event["index"] + 3} if "index" in event else event


def _whole_in_last_chunk(events: list[bytes], text: str, generator: random.Random) -> list[bytes]:
    last = chunk({}, "stop", message={"role": "assistant", "content": text})
    return [*events[:-3], sse(last), *events[-2:]]


def _cut(events: list[bytes], text: str, generator: random.Random) -> list[bytes]:
    """The end is missing, from after the text to the closing event."""
    return events[:5]


def _surrogate(body: Json, text: str, generator: random.Random) -> bytes:
    return json.dumps(body).encode().replace(b'"model": "m"', b'"model": "\\ud83c"')


_USAGES: Final[dict[str, Any]] = {
    "floats": {"prompt_tokens": 5.0, "completion_tokens": 2.5, "input_tokens": 5.0, "output_tokens": 2.5},
    "texts": {"prompt_tokens": "5", "completion_tokens": "2", "input_tokens": "5", "output_tokens": "2"},
    "negative": {"prompt_tokens": -5, "completion_tokens": -1, "input_tokens": -5, "output_tokens": -1},
    "of other types": {"prompt_tokens": [], "completion_tokens": {}, "input_tokens": [], "output_tokens": {}},
    "of 40 digits": {"prompt_tokens": 10**40, "input_tokens": 10**40},
    "an array": [],
    "a text": "5",
    "null": None,
    "missing": ...,
    "with odd details": {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": []},
}

_ERRORS: Final[tuple[tuple[str, Json, Verdict], ...]] = (
    ("a number 429", {"error": {"code": 429, "message": "slow down"}}, "rate_limit"),
    ("a text 429", {"error": {"code": "429", "message": "slow down"}}, "rate_limit"),
    ("a status 429", {"error": {"status": 429, "message": "slow down"}}, "rate_limit"),
    ("a name", {"error": {"code": "rate_limit_exceeded", "message": "slow down"}}, "rate_limit"),
    ("a type", {"error": {"type": "rate_limit_error", "message": "slow down"}}, "rate_limit"),
    ("a gRPC status", {"error": {"status": "RESOURCE_EXHAUSTED", "message": "slow down"}}, "rate_limit"),
    ("a number 401", {"error": {"code": 401, "message": "no such key"}}, "credentials"),
    ("a type for 401", {"type": "error", "error": {"type": "authentication_error"}}, "credentials"),
    ("a number 402", {"error": {"code": 402, "message": "no credit"}}, "spend_limit"),
    ("a number 400", {"error": {"code": 400, "message": "a bad request"}}, "rejected"),
    ("a type for 400", {"type": "error", "error": {"type": "invalid_request_error"}}, "rejected"),
    ("a number 500", {"error": {"code": 500, "message": "broken"}}, "retry"),
    ("a type for 529", {"type": "error", "error": {"type": "overloaded_error"}}, "retry"),
    ("a text", {"error": "the engine is gone"}, "retry"),
)

_FINISH_REASONS: Final[tuple[tuple[Any, Verdict], ...]] = (
    ("stop", "success"),
    ("length", "success"),
    ("tool_calls", "success"),
    ("function_call", "success"),
    ("content_filter", "success"),
    ("STOP", "success"),
    ("MAX_TOKENS", "success"),
    ("SAFETY", "success"),
    ("error", "retry"),
    ("abort", "retry"),
    ("", "retry"),
    (None, "retry"),
    ("something_new", "retry"),
)


def _errors() -> Iterator[Oddity]:
    for name, error, expected in _ERRORS:
        yield Oddity(f"an error inside a 200: {name}", BOTH, expected, whole=instead(error))
        yield Oddity(f"an error in a list: {name}", BOTH, expected, whole=instead([error]))
        yield Oddity(f"an error event: {name}", BOTH, expected, stream=inserted(sse(error, "error"), first=3))
        yield Oddity(f"an error without a name: {name}", BOTH, expected, stream=inserted(sse(error), first=3))
        in_choice = chunk({"content": ""}, "error", error=error["error"])
        yield Oddity(
            f"an error in a choice: {name}",
            CHAT,
            expected,
            whole=with_choice(error=error["error"], finish_reason="error"),
            stream=inserted(sse(in_choice), first=3),
        )


def _reasons() -> Iterator[Oddity]:
    for reason, expected in _FINISH_REASONS:
        yield Oddity(
            f"finish_reason {reason!r}",
            CHAT,
            expected,
            whole=with_choice(finish_reason=reason),
            stream=replaced(b'"finish_reason": "stop"', b'"finish_reason": ' + dump(reason)),
        )


def _usages() -> Iterator[Oddity]:
    for name, usage in _USAGES.items():
        dumped = b"[]" if usage is ... else dump(usage)
        yield Oddity(
            f"usage: {name}",
            BOTH,
            "success",
            whole=with_members(usage=usage),
            stream=each_chunk(lambda chunk, dumped=dumped: _with_usage(chunk, json.loads(dumped))),
        )


def _with_usage(chunk: Json, usage: Any) -> Json:
    return {**chunk, "usage": usage} if "usage" in chunk else chunk


ODDITIES: Final[tuple[Oddity, ...]] = (
    Oddity("none", BOTH, "success", whole=with_members(), stream=followed_by()),
    *_usages(),
    *_errors(),
    *_reasons(),
    Oddity("no id", BOTH, "success", whole=with_members(id=...), stream=replaced(b'"id": ', b'"no_id": ')),
    Oddity(
        "a number for id",
        BOTH,
        "success",
        whole=with_members(id=5),
        stream=replaced(b'"id": "c"', b'"id": 5'),
    ),
    Oddity(
        "no model", BOTH, "success", whole=with_members(model=...), stream=replaced(b'"model": "m", ', b"")
    ),
    Oddity("null for role", MESSAGES, "success", whole=with_members(role=None)),
    Oddity(
        "no object", CHAT, "success", whole=with_members(object=...), stream=replaced(b'"object": ', b'"x": ')
    ),
    Oddity("another object", CHAT, "success", whole=with_members(object="chat.completion.v2")),
    Oddity(
        "error null",
        BOTH,
        "success",
        whole=with_members(error=None),
        stream=each_chunk(lambda c: {**c, "error": None}),
    ),
    Oddity(
        "error {}",
        BOTH,
        "success",
        whole=with_members(error={}),
        stream=each_chunk(lambda c: {**c, "error": {}}),
    ),
    Oddity(
        "error ''",
        BOTH,
        "success",
        whole=with_members(error=""),
        stream=each_chunk(lambda c: {**c, "error": ""}),
    ),
    Oddity("error []", BOTH, "success", whole=with_members(error=[])),
    Oddity("no index", CHAT, "success", whole=with_choice(index=...), stream=replaced(b'"index": 0, ', b"")),
    Oddity("a text for index", CHAT, "success", whole=with_choice(index="0")),
    Oddity(
        "infinite logprob",
        CHAT,
        "success",
        whole=with_choice(logprobs={"content": [{"logprob": float("-inf")}]}),
    ),
    Oddity("NaN beside it", BOTH, "success", whole=with_members(score=float("nan"))),
    Oddity("half a surrogate pair", BOTH, "success", whole=_surrogate),
    Oddity(
        "byte order mark",
        BOTH,
        "success",
        whole=as_bytes(lambda body: b"\xef\xbb\xbf" + body),
        stream=lambda events, text, generator: [b"\xef\xbb\xbf", *events],
    ),
    Oddity("white space around", BOTH, "success", whole=as_bytes(lambda body: b"\r\n \t" + body + b"\n\n")),
    Oddity(
        "pretty-printed",
        BOTH,
        "success",
        whole=lambda body, text, generator: json.dumps(body, indent=2).replace("\n", "\r\n").encode(),
    ),
    Oddity(
        "unknown members", BOTH, "success", whole=with_members(x_groq={"id": 1}, provider="p", native=[{}])
    ),
    Oddity("nothing", BOTH, "retry", whole=instead(b"")),
    Oddity("an empty object", BOTH, "retry", whole=instead(b"{}")),
    Oddity("null", BOTH, "retry", whole=instead(b"null")),
    Oddity(
        "HTML",
        BOTH,
        "retry",
        whole=instead(b"<html>Bad gateway</html>"),
        stream=lambda events, text, generator: [b"<html>Bad gateway</html>"],
    ),
    Oddity("cut off", BOTH, "retry", whole=as_bytes(lambda body: body[: len(body) // 2])),
    Oddity("no choices", CHAT, "retry", whole=with_members(choices=[]), stream=without(b'"choices": [{')),
    Oddity("null for content", MESSAGES, "retry", whole=with_members(content=None)),
    Oddity(
        "no stop reason",
        MESSAGES,
        "retry",
        whole=with_members(stop_reason=None),
        stream=replaced(b'"stop_reason": "end_turn"', b'"stop_reason": null'),
    ),
    Oddity(
        "too deep",
        BOTH,
        "retry",
        whole=as_bytes(lambda body: body[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
    ),
    Oddity("comments", BOTH, "success", stream=inserted(b": PROCESSING\n\n", b":\n")),
    Oddity(
        "events without data",
        BOTH,
        "success",
        stream=inserted(b"event: ping\n\n", b"data:\n\n", b"data:   \n\n"),
    ),
    Oddity("data null", BOTH, "success", stream=inserted(sse(b"null"))),
    Oddity("an unknown event", BOTH, "success", stream=inserted(sse({"type": "future"}, "future"))),
    Oddity("an unknown event that is not JSON", BOTH, "success", stream=inserted(sse(b"hello", "future"))),
    Oddity("an event that is not JSON", BOTH, "success", stream=inserted(sse(b"hello"))),
    Oddity("CRLF", BOTH, "success", stream=replaced(b"\n", b"\r\n")),
    Oddity(
        "no names",
        MESSAGES,
        "success",
        stream=lambda events, text, generator: [event.split(b"\n", 1)[1] for event in events],
    ),
    Oddity("[DONE] at the end", MESSAGES, "success", stream=followed_by(sse(b"[DONE]"))),
    Oddity("more after the end", BOTH, "success", stream=followed_by(sse({"type": "late"}), b"rubbish")),
    Oddity(
        "an error after the end", BOTH, "success", stream=followed_by(sse({"error": {"code": 500}}, "error"))
    ),
    Oddity(
        "text after the end",
        MESSAGES,
        "success",
        stream=followed_by(
            sse({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "late"}})
        ),
    ),
    Oddity("text after the end", CHAT, "success", stream=followed_by(sse(chunk({"content": "late"})))),
    Oddity("no [DONE]", CHAT, "success", stream=without(b"[DONE]")),
    Oddity("[DONE] and a blank", CHAT, "success", stream=replaced(b"[DONE]", b"[DONE] ")),
    Oddity(
        "no last blank line",
        BOTH,
        "success",
        stream=lambda events, text, generator: [*events[:-1], events[-1].rstrip(b"\n")],
    ),
    Oddity("cut off", BOTH, "retry", stream=_cut),
    Oddity("no events", BOTH, "retry", stream=lambda events, text, generator: []),
    Oddity("only comments", BOTH, "retry", stream=lambda events, text, generator: [b": hi\n\n"] * 3),
    Oddity("only [DONE]", CHAT, "retry", stream=lambda events, text, generator: events[-1:]),
    Oddity("no finish reason", CHAT, "retry", stream=without(b'"finish_reason": "stop"')),
    Oddity("no message_stop", MESSAGES, "retry", stream=without(b"message_stop")),
    Oddity("annotations", CHAT, "success", stream=each_chunk(_annotated)),
    Oddity("the whole message again", CHAT, "success", stream=_whole_in_last_chunk),
    Oddity(
        "role in each delta",
        CHAT,
        "success",
        stream=replaced(b'"delta": {"content"', b'"delta": {"role": "assistant", "content"'),
    ),
    Oddity(
        "usage in each chunk",
        CHAT,
        "success",
        stream=each_chunk(lambda c: {**c, "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
    ),
    Oddity(
        "a chunk without choices first",
        CHAT,
        "success",
        stream=lambda events, text, generator: [
            sse({"choices": [], "prompt_filter_results": []}),
            *events,
        ],
    ),
    Oddity("null for choices", CHAT, "success", stream=inserted(sse({"choices": None}))),
    Oddity("null deltas", CHAT, "success", stream=inserted(sse({"choices": [{"index": 0, "delta": None}]}))),
    Oddity("other block numbers", MESSAGES, "success", stream=each_chunk(_shifted)),
)
