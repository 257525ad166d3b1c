"""A scripted API, for tests of what is built on this client: no server, no mocks, no waiting.

    api = ScriptedAPI([reply(429, headers={"retry-after": "3"}), reply(json={"input_tokens": 7})])
    client = Anthropic(api_key="test", http_client=api.http_client())

    assert client.messages.count_tokens(model="m", messages=[]).input_tokens == 7
    assert [request.url.path for request in api.requests] == ["/v1/messages/count_tokens"] * 2

Each attempt is answered by the next step of the script: a `Reply`, an exception, or a function
from the request to either. `ScriptedAPI.async_http_client` is the same for trio and asyncio.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import anyio
import attrs
import httpx

from headrace_client._wire.json import encode

Piece: TypeAlias = "bytes | float | Exception"
"""A part of a body: bytes that arrive, seconds of silence (on async clients), or how it breaks off."""


@attrs.frozen(kw_only=True)
class Reply:
    """One answer of the API: ``wait`` seconds after the request (on async clients), then its pieces."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    pieces: Sequence[Piece] = ()
    wait: float = 0.0


Step: TypeAlias = "Reply | Exception | Callable[[httpx.Request], Reply | Exception]"


def reply(
    status: int = 200,
    *,
    json: object = None,
    body: bytes | str | Sequence[Piece] = b"",
    headers: Mapping[str, str] | None = None,
    wait: float = 0.0,
) -> Reply:
    """Make an answer of a JSON value, or of a body: bytes, text, or its pieces."""
    fields = dict(headers or {})
    if json is not None:
        body = encode(json)
        fields.setdefault("content-type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    pieces = [body] if isinstance(body, bytes) else body
    return Reply(status=status, headers=fields, pieces=pieces, wait=wait)


def sse(*events: tuple[str, object]) -> Reply:
    """Make an answer that is a stream of server-sent events, each given by its name and its data."""
    pieces = [b"event: %b\ndata: %b\n\n" % (name.encode(), encode(data)) for name, data in events]
    return Reply(headers={"content-type": "text/event-stream"}, pieces=pieces)


class ScriptEnded(RuntimeError):
    """A request came for which the script has no answer."""


class ScriptedAPI:
    """Answers requests by a script and keeps them, their bodies read, in ``requests``.

    ``open_responses`` counts the answers whose bodies were neither read to the end nor closed.
    """

    def __init__(self, script: Iterable[Step]) -> None:
        self._steps = iter(script)
        self.requests: list[httpx.Request] = []
        self.open_responses = 0

    def http_client(self, **settings: Any) -> httpx.Client:
        """Return an HTTP client for `Anthropic` that reaches this API and nothing else."""
        return httpx.Client(transport=_Transport(self), follow_redirects=True, **settings)

    def async_http_client(self, **settings: Any) -> httpx.AsyncClient:
        """Return an HTTP client for `AsyncAnthropic` that reaches this API and nothing else."""
        return httpx.AsyncClient(transport=_Transport(self), follow_redirects=True, **settings)

    def answer(self, request: httpx.Request) -> Reply:
        """Take the script's next step for a request that has arrived."""
        self.requests.append(request)
        step = next(self._steps, None)
        if step is None:
            raise ScriptEnded(f"no answer left for {request.method} {request.url}")
        outcome = step if isinstance(step, Reply | Exception) else step(request)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def respond(self, answer: Reply) -> httpx.Response:
        """Turn an answer into a response whose body is yet to arrive."""
        self.open_responses += 1
        return httpx.Response(
            answer.status, headers=dict(answer.headers), stream=_Body(answer.pieces, self._closed)
        )

    def _closed(self) -> None:
        self.open_responses -= 1


class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def __init__(self, api: ScriptedAPI) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        return self._api.respond(self._api.answer(request))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        answer = self._api.answer(request)
        await anyio.sleep(answer.wait)
        return self._api.respond(answer)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, pieces: Sequence[Piece], on_close: Callable[[], None]) -> None:
        self._pieces = pieces
        self._on_close: Callable[[], None] | None = on_close

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            if isinstance(piece, bytes):
                yield piece
            else:
                await anyio.sleep(piece)

    def close(self) -> None:
        if self._on_close is not None:
            self._on_close()
            self._on_close = None

    async def aclose(self) -> None:
        self.close()
