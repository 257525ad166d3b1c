"""The scripted API and the virtual clock for users' tests."""

from __future__ import annotations

import time

import httpx
import pytest
import trio

from headrace_client import Anthropic, APIConnectionError
from headrace_client.testing import ScriptedAPI, ScriptEnded, VirtualClock, reply, sse
from tests.client.backends import TRIO_ONLY, Backend, settle

pytestmark = pytest.mark.anyio


def test_the_example_of_the_module() -> None:
    api = ScriptedAPI([reply(429, headers={"retry-after": "30"}), reply(json={"input_tokens": 7})])
    client = Anthropic(api_key="test", http_client=api.http_client())
    client.clock = clock = VirtualClock()

    assert client.messages.count_tokens(model="m", messages=[]).input_tokens == 7
    assert [request.url.path for request in api.requests] == ["/v1/messages/count_tokens"] * 2
    assert clock.sleeps == [30.0]


async def test_steps_may_be_functions_of_the_request(backend: Backend) -> None:
    client, _ = backend.scripted(
        lambda request: reply(body=request.content), lambda _: httpx.ConnectError("no"), max_retries=0
    )

    response = await settle(client.post("/foo", cast_to=httpx.Response, body={"a": 1}))
    with pytest.raises(APIConnectionError):
        await settle(client.post("/foo", cast_to=httpx.Response))

    assert response.content == b'{"a":1}'


async def test_a_request_after_the_script(backend: Backend) -> None:
    client, _ = backend.scripted()

    with pytest.raises(ScriptEnded, match="no reply left for GET"):
        await settle(client.get("/foo", cast_to=httpx.Response))


async def test_events(backend: Backend) -> None:
    client, _ = backend.scripted(sse(("ping", {"type": "ping"}), ("message_stop", {})))

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.text == 'event: ping\ndata: {"type":"ping"}\n\nevent: message_stop\ndata: {}\n\n'
    assert response.headers["content-type"] == "text/event-stream"


@TRIO_ONLY
async def test_pauses_of_an_asynchronous_client_take_the_time_of_the_event_loop(backend: Backend) -> None:
    client, _ = backend.scripted(reply(wait=2, body=[b"a", 3.0, b"b"]))
    start = trio.current_time()

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.content == b"ab"
    assert trio.current_time() == start + 5


async def test_pauses_on_a_virtual_clock_take_no_time(backend: Backend) -> None:
    clock = VirtualClock(now=10)
    api = ScriptedAPI([reply(wait=200, body=[b"a", 300.0, b"b"])], clock=clock)

    response = await settle(backend.connect(api).get("/foo", cast_to=httpx.Response))

    assert response.content == b"ab"
    assert (clock.now, clock.sleeps) == (510, [])


async def test_waits_on_a_virtual_clock_take_no_time(backend: Backend) -> None:
    clock = VirtualClock(now=1_000_000_000)
    date = {"retry-after": "Sun, 09 Sep 2001 01:47:40 GMT"}  # a minute from now
    client, api = backend.scripted(reply(500), reply(500), reply(429, headers=date), reply(json={}))
    client.clock = clock

    await settle(client.with_options(max_retries=3).get("/foo", cast_to=httpx.Response))

    assert len(api.requests) == 4
    assert clock.sleeps == [0.5, 1.0, 58.5]
    assert clock.now == 1_000_000_060


@TRIO_ONLY
async def test_the_clock_of_a_client_is_the_real_one(backend: Backend) -> None:
    client = backend.client_class()
    start = trio.current_time()

    await client.clock.sleep_async(3)
    client.clock.sleep(0)

    assert trio.current_time() == start + 3
    assert abs(client.clock.time() - time.time()) < 60
    assert client.clock.monotonic() <= client.clock.monotonic()
    assert 0 <= client.clock.random() < 1
