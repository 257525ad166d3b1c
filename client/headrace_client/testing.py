"""Test code that uses this client: script the API's responses and control time, without a server or mocks.

    from headrace_client import Anthropic
    from headrace_client.testing import ScriptedAPI, VirtualClock, reply

    api = ScriptedAPI([reply(429, headers={"retry-after": "30"}), reply(json={"input_tokens": 7})])
    client = Anthropic(api_key="test", http_client=api.http_client())
    client.clock = clock = VirtualClock()

    assert client.messages.count_tokens(model="m", messages=[]).input_tokens == 7
    assert [request.url.path for request in api.requests] == ["/v1/messages/count_tokens"] * 2
    assert clock.sleeps == [30.0]

Each attempt takes the next step of the script: a `Reply`, an exception to raise, or a function that gets
the request and returns either. For `AsyncAnthropic`, on trio and on asyncio, use
`ScriptedAPI.async_http_client`.

A client takes time, sleep and jitter from its attribute ``clock``, a `Clock`; its copies (``with_options``)
share it. With a `VirtualClock` the waits between attempts take no time and are recorded. Timeouts of the
asynchronous client are not covered: they belong to the event loop, whose time is virtual under
`trio.testing.MockClock`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import anyio
import anyio.lowlevel
import attrs
import httpx

from headrace_client._base_client.clock import Clock
from headrace_client._wire.encoding import encode

__all__ = ["Chunk", "Clock", "Reply", "ScriptEnded", "ScriptedAPI", "Step", "VirtualClock", "reply", "sse"]

Chunk: TypeAlias = "bytes | float | Exception"
"""Part of a body: bytes that arrive, a pause in seconds, or the exception that ends it early."""


@attrs.frozen(kw_only=True)
class Reply:
    """One response of the API: status and headers ``wait`` seconds after the request, then the chunks."""

    status: int = 200
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    chunks: Sequence[Chunk] = ()
    wait: float = 0.0


Step: TypeAlias = "Reply | Exception | Callable[[httpx.Request], Reply | Exception]"


def reply(
    status: int = 200,
    *,
    json: object = None,
    body: bytes | str | Sequence[Chunk] = b"",
    headers: Mapping[str, str] | None = None,
    wait: float = 0.0,
) -> Reply:
    """Make a reply from a JSON value or from a body: bytes, text, or a sequence of chunks.

    ``wait``: seconds. Raises `TypeError` or `ValueError` for a value that JSON cannot express.
    """
    fields = dict(headers or {})
    if json is not None:
        body = encode(json)
        fields.setdefault("content-type", "application/json")
    if isinstance(body, str):
        body = body.encode()
    chunks = [body] if isinstance(body, bytes) else body
    return Reply(status=status, headers=fields, chunks=chunks, wait=wait)


def sse(*events: tuple[str, object]) -> Reply:
    """Make a reply that streams server-sent events, each given as its name and its data.

    Raises `TypeError` or `ValueError` for data that JSON cannot express.
    """
    chunks = [b"event: %b\ndata: %b\n\n" % (name.encode(), encode(data)) for name, data in events]
    return Reply(headers={"content-type": "text/event-stream"}, chunks=chunks)


@attrs.define(kw_only=True)
class VirtualClock:
    """A `Clock` whose time passes only in `sleep` and `sleep_async`, which return at once.

    ``now``: seconds, both as Unix time and as monotonic time; you may set it. ``jitter``: the number in
    [0, 1) that stands in for randomness; 0 leaves delays as they are. ``sleeps``: the seconds of each sleep.
    """

    now: float = 1_700_000_000.0
    jitter: float = 0.0
    sleeps: list[float] = attrs.field(factory=list[float])

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def random(self) -> float:
        return self.jitter

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)
        await anyio.lowlevel.checkpoint()


class ScriptEnded(RuntimeError):
    """A request arrived after the script had ended."""


class ScriptedAPI:
    """An API that answers requests from a script and records them, bodies included, in ``requests``.

    ``open_responses``: how many responses have been neither read to the end nor closed. ``clock``: pauses of
    the script move it forward and take no time. Without one, an asynchronous client waits in the time of its
    event loop, and a blocking client skips the pauses.
    """

    def __init__(self, script: Iterable[Step], *, clock: VirtualClock | None = None) -> None:
        self._steps = iter(script)
        self._clock = clock
        self.requests: list[httpx.Request] = []
        self.open_responses = 0

    def http_client(self, **settings: Any) -> httpx.Client:
        """Return an HTTP client for `Anthropic` that sends every request to this API."""
        return httpx.Client(transport=_Transport(self), follow_redirects=True, **settings)

    def async_http_client(self, **settings: Any) -> httpx.AsyncClient:
        """Return an HTTP client for `AsyncAnthropic` that sends every request to this API."""
        return httpx.AsyncClient(transport=_Transport(self), follow_redirects=True, **settings)

    def next_reply(self, request: httpx.Request) -> Reply:
        """Record the request and return the next reply of the script.

        Raises the exception if the step is one, and `ScriptEnded` after the last step.
        """
        self.requests.append(request)
        step = next(self._steps, None)
        if step is None:
            raise ScriptEnded(f"the script has no reply left for {request.method} {request.url}")
        outcome = step if isinstance(step, Reply | Exception) else step(request)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def respond(self, reply: Reply) -> httpx.Response:
        """Return the reply as a response whose body has not been read."""
        self.open_responses += 1
        body = _Body(self, reply.chunks)
        return httpx.Response(reply.status, headers=dict(reply.headers), stream=body)

    def pause(self, seconds: float) -> None:
        """Let time pass for a blocking client."""
        if self._clock is not None:
            self._clock.now += seconds

    async def pause_async(self, seconds: float) -> None:
        """Let time pass for an asynchronous client."""
        self.pause(seconds)
        await anyio.sleep(seconds if self._clock is None else 0)


class _Transport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    def __init__(self, api: ScriptedAPI) -> None:
        self._api = api

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        reply = self._api.next_reply(request)
        self._api.pause(reply.wait)
        return self._api.respond(reply)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        reply = self._api.next_reply(request)
        await self._api.pause_async(reply.wait)
        return self._api.respond(reply)


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __init__(self, api: ScriptedAPI, chunks: Sequence[Chunk]) -> None:
        self._api = api
        self._chunks = chunks
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if isinstance(chunk, bytes):
                yield chunk
            else:
                self._api.pause(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if isinstance(chunk, bytes):
                yield chunk
            else:
                await self._api.pause_async(chunk)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._api.open_responses -= 1

    async def aclose(self) -> None:
        self.close()
