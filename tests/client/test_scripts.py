"""The scripted API that users' tests may stand on."""

from __future__ import annotations

import httpx
import pytest

from headrace_client import Anthropic, APIConnectionError
from headrace_client.testing import ScriptedAPI, ScriptEnded, reply, sse
from tests.client.faces import Face, settle

pytestmark = pytest.mark.anyio


def test_the_example_of_the_module() -> None:
    api = ScriptedAPI([reply(429, headers={"retry-after-ms": "1"}), reply(json={"input_tokens": 7})])
    client = Anthropic(api_key="test", http_client=api.http_client())

    assert client.messages.count_tokens(model="m", messages=[]).input_tokens == 7
    assert [request.url.path for request in api.requests] == ["/v1/messages/count_tokens"] * 2


async def test_steps_may_be_functions_of_the_request(face: Face) -> None:
    client, _ = face.scripted(
        lambda request: reply(body=request.content), lambda _: httpx.ConnectError("no"), max_retries=0
    )

    response = await settle(client.post("/foo", cast_to=httpx.Response, body={"a": 1}))
    with pytest.raises(APIConnectionError):
        await settle(client.post("/foo", cast_to=httpx.Response))

    assert response.content == b'{"a":1}'


async def test_a_request_too_many(face: Face) -> None:
    client, _ = face.scripted()

    with pytest.raises(ScriptEnded, match="no answer left for GET"):
        await settle(client.get("/foo", cast_to=httpx.Response))


async def test_events(face: Face) -> None:
    client, _ = face.scripted(sse(("ping", {"type": "ping"}), ("message_stop", {})))

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.text == 'event: ping\ndata: {"type":"ping"}\n\nevent: message_stop\ndata: {}\n\n'
    assert response.headers["content-type"] == "text/event-stream"


@pytest.mark.parametrize("face", ["trio"], indirect=True)
async def test_answers_that_take_their_time(face: Face) -> None:
    import trio

    client, _ = face.scripted(reply(wait=2, body=[b"a", 3.0, b"b"]))
    start = trio.current_time()

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.content == b"ab"
    assert trio.current_time() == start + 5
