"""A small HTTP client on h11 for one in-memory connection, so that tests see what the simulator sends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import h11
import msgspec
import trio

from headrace.simulator import Profile, Schedule, Simulator, in_memory_connector
from headrace.simulator._asgi import App
from headrace_client.transport.stream import ByteStream

MESSAGES = "/v1/messages"
CHAT = "/v1/chat/completions"


@attrs.frozen(kw_only=True)
class Response:
    """A response. ``complete`` is False if the connection closed before its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    complete: bool

    def json(self) -> Any:
        return msgspec.json.decode(self.body)

    def events(self) -> list[tuple[str, Any]]:
        """The server-sent events: the name of each (which may be empty) and its data."""
        parsed: list[tuple[str, Any]] = []
        for block in self.body.decode().split("\n\n")[:-1]:
            lines = dict(line.split(": ", 1) for line in block.split("\n"))
            data = lines["data"]
            parsed.append((lines.get("event", ""), data if data == "[DONE]" else msgspec.json.decode(data)))
        return parsed


NOTHING = Response(status=0, headers={}, body=b"", complete=False)


class Client:
    """Sends requests on one HTTP/1.1 connection, one after the other."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT)

    async def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        content = b"" if body is None else body if isinstance(body, bytes) else msgspec.json.encode(body)
        fields = {"host": "test", "content-length": str(len(content)), **(headers or {})}
        request = h11.Request(method=method, target=path, headers=list(fields.items()))
        sent = self._http.send(request) or b""
        sent += self._http.send(h11.Data(data=content)) or b""
        await self.stream.send_all(sent + (self._http.send(h11.EndOfMessage()) or b""))
        return await self._response()

    async def post(self, path: str, body: object, headers: Mapping[str, str] | None = None) -> Response:
        return await self.request("POST", path, body, headers)

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return await self.request("GET", path, None, headers)

    async def _response(self) -> Response:
        response = NOTHING
        try:
            while not isinstance(event := await self._next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Response):
                    fields = {name.decode(): value.decode() for name, value in event.headers}
                    response = attrs.evolve(response, status=event.status_code, headers=fields)
                elif isinstance(event, h11.Data):
                    response = attrs.evolve(response, body=response.body + event.data)
                else:
                    return response
        except h11.RemoteProtocolError:
            return response
        if self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
        return attrs.evolve(response, complete=True)

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.receive_some())
        return event


@asynccontextmanager
async def open_client(app: App) -> AsyncGenerator[Client, None]:
    """Connect a client to an application in memory."""
    async with trio.open_nursery() as nursery:
        client = Client(await in_memory_connector(app, nursery)(None))
        yield client
        client.stream.close()
        nursery.cancel_scope.cancel()


STEADY = Profile(ttft=0.5, ttft_jitter=0.0, tokens_per_second=100.0, output_tokens=(40, 40), event_tokens=10)
"""Nothing random: 0.5 s to the first token, then 0.4 s for the 40 tokens."""


def steady(schedule: Schedule = (), **changes: Any) -> Simulator:
    """A simulator with the steady profile, except for the changes."""
    return Simulator(attrs.evolve(STEADY, **changes), schedule=schedule)


async def ask(app: App, body: object, path: str = MESSAGES) -> Response:
    """Send one request on a new connection."""
    async with open_client(app) as client:
        return await client.post(path, body)


def request(text: str = "How wide is the gate?", **changes: object) -> dict[str, object]:
    """A body that both APIs accept."""
    messages = [{"role": "user", "content": text}]
    return {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": messages, **changes}
