"""Exchanges with a response that is a stream of server-sent events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from headrace_client.testing import Reply
from tests.client.backends import each, entered, settle

from .exchange import Exchange, Side, items

HEADERS = {"content-type": "text/event-stream; charset=utf-8", "request-id": "req_s"}
MESSAGE = (
    '{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,'
    '"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}'
)


def _event(name: str, data: str) -> str:
    return f"event: {name}\ndata: {data}\n\n"


def _typed(name: str, rest: str) -> str:
    return _event(name, f'{{"type":"{name}"{rest}}}')


START = _typed("message_start", f',"message":{MESSAGE}')
DELTA = _typed(
    "message_delta", ',"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":9}'
)
STOP = _typed("message_stop", "")
PING = _typed("ping", "")


def _block(index: int, block: str, *deltas: str) -> str:
    pieces = [_typed("content_block_delta", f',"index":{index},"delta":{delta}') for delta in deltas]
    start = _typed("content_block_start", f',"index":{index},"content_block":{block}')
    return start + "".join(pieces) + _typed("content_block_stop", f',"index":{index}')


TEXT = _block(
    0,
    '{"type":"text","text":""}',
    '{"type":"text_delta","text":"Grüße"}',
    '{"type":"text_delta","text":" \\ud83d\\ude00\u2028!"}',
)
TOOL = _block(
    1,
    '{"type":"tool_use","id":"t_1","name":"f","input":{}}',
    '{"type":"input_json_delta","partial_json":""}',
    '{"type":"input_json_delta","partial_json":"{\\"city\\": \\"Par"}',
    '{"type":"input_json_delta","partial_json":"is\\", \\"n\\": [1, 2"}',
    '{"type":"input_json_delta","partial_json":"]}"}',
)
THINKING = _block(
    0,
    '{"type":"thinking","thinking":"","signature":""}',
    '{"type":"thinking_delta","thinking":"hm"}',
    '{"type":"signature_delta","signature":"sig"}',
)
CITED = _block(
    0,
    '{"type":"text","text":"","citations":[]}',
    '{"type":"citations_delta","citation":{"type":"char_location","cited_text":"c","document_index":0,'
    '"document_title":"d","start_char_index":0,"end_char_index":1}}',
    '{"type":"text_delta","text":"x"}',
)


def _error(kind: str) -> str:
    return _event("error", f'{{"type":"error","error":{{"type":"{kind}","message":"no"}}}}')


STREAMS: dict[str, str] = {
    "text": START + TEXT + DELTA + STOP,
    "tool": START + TEXT + TOOL + DELTA + STOP,
    "thinking": START + THINKING + DELTA + STOP,
    "citations": START + CITED + DELTA + STOP,
    "pings": START + PING + TEXT + PING + DELTA + STOP,
    "no blocks": START + DELTA + STOP,
    "comments": ": hello\n\n" + START + ": again\n" + TEXT + DELTA + STOP,
    "CRLF": (START + TEXT + DELTA + STOP).replace("\n", "\r\n"),
    "CR": (START + TEXT + DELTA + STOP).replace("\n", "\r"),
    "several data lines": START.replace(',"message"', '\ndata: ,"message"') + TEXT + DELTA + STOP,
    "ids and retries": "id: 7\nretry: 5\n" + START + "retry: x\n" + TEXT + DELTA + STOP,
    "no space": (START + TEXT + DELTA + STOP).replace(": ", ":"),
    "unknown event": START + TEXT + _typed("new_thing", ',"x":1') + DELTA + STOP,
    "unknown block": START + _block(0, '{"type":"new_block","x":1}') + DELTA + STOP,
    "unknown fields": START.replace('"role"', '"later":[1],"role"') + TEXT + DELTA + STOP,
    "without types": START.replace('"type":"message_start",', "") + TEXT + DELTA + STOP,
    "byte order mark": "\ufeff" + START + TEXT + DELTA + STOP,
    "after the end": START + TEXT + DELTA + STOP + TEXT,
    "cut off": START + TEXT,
    "cut within an event": (START + TEXT + DELTA + STOP)[:-1],
    "nothing": "",
    "broken JSON": START + _event("content_block_delta", '{"type":') + DELTA + STOP,
    "unnamed": "data: {}\n\n" + START + TEXT + DELTA + STOP,
    **{
        f"error {kind}": START + TEXT + _error(kind)
        for kind in (
            "overloaded_error",
            "api_error",
            "rate_limit_error",
            "invalid_request_error",
            "new_error",
        )
    },
    "error at once": _error("overloaded_error"),
    "error in words": START + _event("error", "no capacity"),
}


def _chunked(text: str, size: int) -> Reply:
    data = text.encode()
    return Reply(headers=HEADERS, chunks=[data[start : start + size] for start in range(0, len(data), size)])


PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}


def _create(side: Side, client: Any) -> Any:
    return client.messages.create(**PROMPT, stream=True)


def _stream(side: Side, client: Any) -> Any:
    return client.messages.stream(**PROMPT)


def _sum_up(side: Side, client: Any) -> Any:
    return client.post("/x", cast_to=object, body={}, stream=True, stream_cls=_kind(side, object))


def _kind(side: Side, item: Any) -> Any:
    return (side.package.AsyncStream if side.asynchronous else side.package.Stream)[item]


async def until_it_fails(result: Any) -> object:
    """Return the events, followed by the class of the error that ended them."""
    found: list[Any] = []
    try:
        async for event in each(await settle(result)):
            found.append(event)  # noqa: PERF401  # those before the error count too
    except Exception as error:  # noqa: BLE001  # which one it is will be compared
        found.append(type(error).__name__)
    return found


async def helper_events(manager: Any) -> object:
    async with entered(manager) as stream:
        return await until_it_fails(stream)


async def final_message(manager: Any) -> object:
    async with entered(manager) as stream:
        message = await settle(stream.get_final_message())
        return {"message": message, "snapshot": stream.current_message_snapshot, "id": stream.request_id}


async def text(manager: Any) -> object:
    async with entered(manager) as stream:
        pieces = [piece async for piece in each(stream.text_stream)]
        return {"pieces": pieces, "whole": await settle(stream.get_final_text())}


async def left_early(result: Any) -> object:
    """Leave the loop after two events, resume later, then close."""
    stream = await settle(result)
    first: list[Any] = []
    async for event in each(stream):
        first.append(event)
        if len(first) == 2:
            break
    second = [event async for event in each(stream)]
    await settle(stream.close())
    return {"first": first, "second": second, "closed": stream.response.is_closed}


READS: dict[str, tuple[Callable[[Side, Any], Any], Any]] = {
    "events": (_create, items),
    "partial events": (_create, until_it_fails),
    "untyped": (_sum_up, until_it_fails),
    "helper events": (_stream, helper_events),
    "final message": (_stream, final_message),
    "text pieces": (_stream, text),
}


def whole_streams() -> Iterator[Exchange]:
    for name, script in STREAMS.items():
        for how, (call, read) in READS.items():
            yield Exchange(name=f"sse {name}: {how}", call=call, script=[_chunked(script, 10**6)], read=read)
    yield Exchange(
        name="sse left early", call=_create, script=[_chunked(STREAMS["text"], 7)], read=left_early
    )


def chunkings() -> Iterator[Exchange]:
    for name in ("tool", "CRLF", "CR", "several data lines"):
        for size in (1, 2, 3, 5, 64):
            yield Exchange(
                name=f"chunks of {size}: {name}",
                call=_create,
                script=[_chunked(STREAMS[name], size)],
                read=items,
            )


def broken_streams() -> Iterator[Exchange]:
    for kind in (httpx.ReadError, httpx.ReadTimeout, httpx.RemoteProtocolError):
        pieces = [START.encode(), kind("torn")]
        for how in ("events", "partial events", "helper events"):
            call, read = READS[how]
            script = [Reply(headers=HEADERS, chunks=pieces)]
            yield Exchange(name=f"torn stream {kind.__name__}: {how}", call=call, script=script, read=read)


def retried_streams() -> Iterator[Exchange]:
    for status in (400, 429, 529):
        failed = Reply(status=status, headers={"content-type": "application/json"}, chunks=[b'{"error":{}}'])
        script = [failed, _chunked(STREAMS["text"], 100)]
        yield Exchange(name=f"stream after {status}", call=_create, script=script, read=items)
        yield Exchange(name=f"helper after {status}", call=_stream, script=script, read=final_message)


EXCHANGES = (*whole_streams(), *chunkings(), *broken_streams(), *retried_streams())
