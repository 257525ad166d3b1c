"""The requests and responses of `test_fast_path_results`."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Mapping
from typing import Any

import attrs
import httpx
import trio

from tests.client.local_api import MESSAGE
from tests.transport.scripted import Peer, Script, always, response

JSON = b"content-type: application/json"
ANSWER = httpx.Response(200, json=MESSAGE).content
MESSAGE_REPLY = response(ANSWER, JSON, b"request-id: req_1")


@attrs.frozen(kw_only=True)
class Case:
    name: str
    scripts: tuple[Script, ...]
    call: Mapping[str, Any] = attrs.field(factory=dict[str, Any])
    method: str = "post"


def responding(*responses: bytes) -> Script:
    async def script(peer: Peer) -> None:
        for data in responses:
            await peer.request()
            await peer.send(data)
        peer.stream.close()

    return script


async def silent(peer: Peer) -> None:
    await peer.request()
    await peer.wait_closed()


async def slow(peer: Peer) -> None:
    await peer.request()
    for part in (MESSAGE_REPLY[:20], MESSAGE_REPLY[20:400], MESSAGE_REPLY[400:]):
        await trio.sleep(15)
        await peer.send(part)
    await peer.wait_closed()


async def reads_nothing(peer: Peer) -> None:
    await trio.sleep_forever()


async def refuses_early(peer: Peer) -> None:
    await peer.stream.receive_some()
    await peer.send(response(b"", status=b"413 Payload Too Large"))
    await peer.wait_closed()


def error_reply(status: bytes, *headers: bytes) -> bytes:
    return response(
        b'{"type":"error","error":{"type":"some_error","message":"m"}}', JSON, *headers, status=status
    )


ONCE = {"options": {"max_retries": 0}}
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(ANSWER), ANSWER)
LARGE = b"x" * 1_000_000
CASES = (
    Case(name="JSON", scripts=(always(MESSAGE_REPLY),)),
    Case(name="GET", scripts=(always(MESSAGE_REPLY),), method="get"),
    Case(name="empty POST", scripts=(always(MESSAGE_REPLY),), call={"content": b""}),
    Case(
        name="DELETE with a body", scripts=(always(MESSAGE_REPLY),), method="delete", call={"body": {"a": 1}}
    ),
    Case(name="chunks", scripts=(always(response(CHUNKED, JSON, framing=b"transfer-encoding: chunked")),)),
    Case(name="until closed", scripts=(responding(response(ANSWER, JSON, framing=b"connection: close")),)),
    Case(name="gzip", scripts=(always(response(gzip.compress(ANSWER), JSON, b"content-encoding: gzip")),)),
    Case(
        name="deflate", scripts=(always(response(zlib.compress(ANSWER), JSON, b"Content-Encoding: deflate")),)
    ),
    Case(name="no gzip", scripts=(always(response(ANSWER, JSON, b"content-encoding: gzip")),), call=ONCE),
    Case(name="br", scripts=(always(response(ANSWER, JSON, b"content-encoding: br")),), call=ONCE),
    Case(
        name="bomb",
        scripts=(always(response(gzip.compress(bytes(80_000_000)), b"content-encoding: gzip")),),
        call=ONCE,
    ),
    Case(
        name="204",
        scripts=(always(response(status=b"204 No Content", framing=b"x: y")),),
        call={"cast_to": object},
    ),
    Case(
        name="text",
        scripts=(always(response("é".encode("latin-1"), b"content-type: text/plain; charset=latin-1")),),
        call={"cast_to": str},
    ),
    Case(name="bytes", scripts=(always(response(b"\x00\xff")),), call={"cast_to": bytes}),
    Case(name="not JSON", scripts=(always(response(b"<html>", b"content-type: text/html")),)),
    Case(name="bad JSON", scripts=(always(response(b"{", JSON)),)),
    Case(name="the response itself", scripts=(always(MESSAGE_REPLY),), call={"cast_to": httpx.Response}),
    Case(name="two fields of a name", scripts=(always(response(ANSWER, JSON, b"X-A: 1", b"x-a: 2")),)),
    Case(
        name="cookies",
        scripts=(responding(error_reply(b"500 Oops", b"set-cookie: a=b; path=/"), MESSAGE_REPLY),),
    ),
    Case(name="400", scripts=(always(error_reply(b"400 Bad Request", b"request-id: req_2")),)),
    Case(
        name="429 then 200",
        scripts=(responding(error_reply(b"429 Too Many", b"retry-after: 7"), MESSAGE_REPLY),),
    ),
    Case(name="always 529", scripts=(always(error_reply(b"529 Overloaded", b"retry-after: 1")),)),
    Case(
        name="redirect",
        scripts=(
            responding(
                response(status=b"307 T", framing=b"location: /x\r\ncontent-length: 0"), MESSAGE_REPLY
            ),
        ),
    ),
    Case(
        name="redirect to a GET",
        scripts=(responding(response(b"", b"Location: /x", status=b"303 See Other"), MESSAGE_REPLY),),
    ),
    Case(
        name="redirect elsewhere",
        scripts=(always(response(b"", b"location: http://b.test/", status=b"302 Found")),),
    ),
    Case(name="cut in the head", scripts=(responding(MESSAGE_REPLY[:20]),), call=ONCE),
    Case(name="cut in the body", scripts=(responding(MESSAGE_REPLY[:-9]),), call=ONCE),
    Case(name="cut, then whole", scripts=(responding(MESSAGE_REPLY[:-9]), always(MESSAGE_REPLY))),
    Case(name="closed at once", scripts=(responding(),), call=ONCE),
    Case(name="garbage", scripts=(always(b"garbage\r\n\r\n"),), call=ONCE),
    Case(name="silence", scripts=(silent,), call=ONCE),
    Case(
        name="silence, other timeouts",
        scripts=(silent,),
        call={"options": {"max_retries": 0, "timeout": httpx.Timeout(3, read=5)}},
    ),
    Case(
        name="silence, no timeout but one",
        scripts=(slow,),
        call={"options": {"timeout": httpx.Timeout(None, read=16)}},
    ),
    Case(name="slow", scripts=(slow,)),
    Case(name="slow without limits", scripts=(slow,), call={"options": {"timeout": None}}),
    Case(name="a large body", scripts=(always(MESSAGE_REPLY),), call={"content": LARGE}),
    Case(name="the server does not read", scripts=(reads_nothing,), call={"content": LARGE, **ONCE}),
    Case(name="an early 413", scripts=(refuses_early,), call={"content": LARGE, **ONCE}),
    Case(
        name="a header of the call",
        scripts=(always(MESSAGE_REPLY),),
        call={"options": {"headers": {"Cookie": "a=b", "user-agent": "x"}}},
    ),
)
