"""A small server on asyncio (uvloop if installed) that can wait, and names the request in its answer.

python server.py PORT LATENCY_S PEM_OR_EMPTY ANSWER_FILE STREAM_FILE

Each answer is the content of the file, with the request's ``user_id`` in the place of the nameless id.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import httptools

NAMELESS = b"msg_0123456789abcdef"
_NAME = re.compile(rb'"user_id":\s*"([^"]*)"')
_STREAM = re.compile(rb'"stream":\s*true')


class Connection(asyncio.Protocol):
    """One client's connection. Answers its requests in turn."""

    def __init__(self, latency: float, answer: bytes, stream: bytes) -> None:
        self._latency = latency
        self._answers = {b"application/json": answer, b"text/event-stream": stream}
        self._parts: list[bytes] = []
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; its class depends on the event loop."""
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Feed the parser, which calls the next two methods."""
        self._parser.feed_data(data)

    def on_body(self, data: bytes) -> None:
        """Collect the body."""
        self._parts.append(data)

    def on_message_complete(self) -> None:
        """Respond, after the latency."""
        body = b"".join(self._parts)
        self._parts.clear()
        kind = b"text/event-stream" if _STREAM.search(body) else b"application/json"
        name = _NAME.search(body)
        answer = self._answers[kind].replace(NAMELESS, b"msg_" + name[1] if name else NAMELESS)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n" % (kind, len(answer))
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._write, head + answer)
        else:
            self._write(head + answer)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)


async def main(port: int, latency: float, pem: str, answer: bytes, stream: bytes) -> None:
    """Serve until the process is terminated."""
    context = None
    if pem:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(latency, answer, stream), "127.0.0.1", port, ssl=context, backlog=65535
    )
    await server.serve_forever()


if __name__ == "__main__":
    serving = main(
        int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], *(Path(path).read_bytes() for path in sys.argv[4:])
    )
    try:
        uvloop: Any = import_module("uvloop")
    except ImportError:
        asyncio.run(serving)
    else:
        uvloop.run(serving)
