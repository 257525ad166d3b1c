"""Each endpoint responds in the shape of its API, and so does each rejection."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock

from headrace.simulator import messages_digest

from ._client import CHAT, MESSAGES, ask, open_client, request, steady

pytestmark = pytest.mark.trio

DIGEST = messages_digest([{"role": "user", "content": "How wide is the gate?"}])


async def test_an_answer_begins_with_the_digest_of_its_messages(autojump_clock: MockClock) -> None:
    response = await ask(steady(), request())

    message = response.json()
    assert response.status == 200
    assert message["type"] == "message"
    assert message["content"][0]["text"].startswith(DIGEST)
    assert len(message["content"][0]["text"]) == 160
    assert message["stop_reason"] == "end_turn"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (6, 40)
    assert response.headers["request-id"].startswith("req_")


async def test_an_answer_takes_the_same_time_whole_or_streamed(autojump_clock: MockClock) -> None:
    app = steady()

    await ask(app, request())
    whole = trio.current_time()
    await ask(app, request(stream=True))

    assert whole == pytest.approx(0.9)
    assert trio.current_time() - whole == pytest.approx(0.9)


async def test_max_tokens_truncates_the_same_answer(autojump_clock: MockClock) -> None:
    app = steady()

    long = (await ask(app, request())).json()
    short = (await ask(app, request(max_tokens=10))).json()

    assert short["stop_reason"] == "max_tokens"
    assert short["usage"]["output_tokens"] == 10
    assert short["content"][0]["text"] == long["content"][0]["text"][:40]


async def test_a_stream_has_the_documented_events_and_the_same_text(autojump_clock: MockClock) -> None:
    app = steady()

    whole = (await ask(app, request())).json()
    events = (await ask(app, request(stream=True))).events()

    names = [name for name, _ in events]
    texts = [data["delta"]["text"] for name, data in events if name == "content_block_delta"]
    assert names == [
        *("message_start", "content_block_start", "ping"),
        *["content_block_delta"] * 4,
        *("content_block_stop", "message_delta", "message_stop"),
    ]
    assert [data["type"] for _, data in events] == names
    assert "".join(texts) == whole["content"][0]["text"]
    assert events[0][1]["message"]["usage"]["input_tokens"] == 6
    assert events[-2][1]["delta"]["stop_reason"] == "end_turn"
    assert events[-2][1]["usage"] == {"output_tokens": 40}


async def test_a_chat_completion_has_the_same_text_in_its_own_shape(autojump_clock: MockClock) -> None:
    response = await ask(steady(), request(), CHAT)

    completion = response.json()
    assert completion["object"] == "chat.completion"
    assert completion["choices"][0]["message"]["content"].startswith(DIGEST)
    assert completion["choices"][0]["message"].keys() == {"role", "content", "refusal"}
    assert completion["choices"][0]["finish_reason"] == "stop"
    assert completion["usage"] == {"prompt_tokens": 6, "completion_tokens": 40, "total_tokens": 46}
    assert response.headers["x-request-id"].startswith("req_")


async def test_a_chat_stream_ends_with_done_after_usage_if_requested(autojump_clock: MockClock) -> None:
    app = steady()
    whole = (await ask(app, request(), CHAT)).json()

    plain = (await ask(app, request(stream=True), CHAT)).events()
    with_usage = request(stream=True, stream_options={"include_usage": True})
    counted = (await ask(app, with_usage, CHAT)).events()

    chunks: list[Any] = [data for _, data in counted[:-1]]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1])
    assert text == whole["choices"][0]["message"]["content"]
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert [plain[-1][1], counted[-1][1]] == ["[DONE]", "[DONE]"]
    assert not any("usage" in data for _, data in plain[:-1])


async def test_tokens_are_counted_without_an_answer(autojump_clock: MockClock) -> None:
    app = steady()
    body = {key: value for key, value in request(system="Be brief.").items() if key != "max_tokens"}

    response = await ask(app, body, "/v1/messages/count_tokens")

    assert response.json() == {"input_tokens": 8}
    assert trio.current_time() == 0


async def test_models_are_listed_in_pages_both_ways(autojump_clock: MockClock) -> None:
    anthropic = {"anthropic-version": "2023-06-01"}
    async with open_client(steady(known_models=("a", "b", "c", "d"))) as client:

        async def page(query: str) -> tuple[list[str], bool]:
            document = (await client.get(f"/v1/models{query}", anthropic)).json()
            return [model["id"] for model in document["data"]], document["has_more"]

        assert await page("") == (["a", "b", "c", "d"], False)
        assert await page("?limit=4") == (["a", "b", "c", "d"], False)
        assert await page("?limit=3") == (["a", "b", "c"], True)
        assert await page("?limit=3&after_id=c") == (["d"], False)
        assert await page("?limit=2&before_id=d") == (["b", "c"], True)
        assert await page("?limit=2&before_id=a") == ([], False)
        assert (await client.get("/v1/models?limit=0", anthropic)).status == 400
        assert (await client.get("/v1/models?after_id=z", anthropic)).status == 400
        assert (await client.get("/v1/models/b", anthropic)).json()["type"] == "model"
        assert (await client.get("/v1/models/z", anthropic)).status == 404
        assert (await client.get("/v1/models")).json()["object"] == "list"
        assert (await client.get("/v1/models/b")).json()["object"] == "model"


@pytest.mark.parametrize("path", [MESSAGES, CHAT])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{", "truncated"),
        (b"\xff", "malformed"),
        (b"[]", "Expected `object`"),
        (request(messages=[]), "length >= 1"),
        (request(max_tokens=0), "$.max_tokens"),
        ({"model": "m", "max_tokens": 1}, "`messages`"),
    ],
)
async def test_an_invalid_body_is_rejected_with_the_reason(path: str, body: object, named: str) -> None:
    response = await ask(steady(), body, path)

    assert response.status == 400
    assert response.json()["error"]["type"] == "invalid_request_error"
    assert named in response.json()["error"]["message"]


@pytest.mark.parametrize("turn", [{"role": "wizard", "content": "x"}, {"role": "user", "content": ""}])
async def test_a_message_needs_a_known_role_and_content(turn: dict[str, str]) -> None:
    response = await ask(steady(), request(messages=[turn]))

    assert response.status == 400
    assert response.json()["error"]["message"].startswith("messages.0.")


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("POST", "/v1/nowhere", 404, "not_found_error"),
        ("GET", "/", 404, "not_found_error"),
        ("GET", MESSAGES, 405, "invalid_request_error"),
        ("DELETE", "/v1/models", 405, "invalid_request_error"),
    ],
)
async def test_unknown_paths_and_methods_are_rejected(method: str, path: str, status: int, kind: str) -> None:
    async with open_client(steady()) as client:
        response = await client.request(method, path)

    assert (response.status, response.json()["error"]["type"]) == (status, kind)
    assert ("allow" in response.headers) == (status == 405)


async def test_a_key_is_needed_only_if_one_is_required(autojump_clock: MockClock) -> None:
    async with open_client(steady(required_key="good")) as client:
        none = await client.post(MESSAGES, request())
        wrong = await client.post(CHAT, request(), {"authorization": "Bearer bad"})
        key = await client.post(MESSAGES, request(), {"x-api-key": "good"})
        token = await client.post(MESSAGES, request(), {"authorization": "Bearer good"})
        chat = await client.post(CHAT, request(), {"authorization": "Bearer good"})

    assert [none.status, wrong.status, key.status, token.status, chat.status] == [401, 401, 200, 200, 200]
    assert none.json()["error"]["type"] == "authentication_error"
    assert wrong.json()["error"]["code"] == "invalid_api_key"


async def test_a_model_that_does_not_exist_is_not_found(autojump_clock: MockClock) -> None:
    app = steady(known_models=("claude-haiku-5-5",))

    message, chat = await ask(app, request()), await ask(app, request(), CHAT)

    assert [message.status, chat.status] == [404, 404]
    assert message.json()["error"] == {"type": "not_found_error", "message": "model: claude-sonnet-5-5"}
    assert chat.json()["error"]["code"] == "model_not_found"


async def test_a_body_beyond_the_limit_is_too_large() -> None:
    response = await ask(steady(max_body=1_000), request("x" * 1_000))

    assert response.status == 413
    assert response.json()["error"]["type"] == "request_too_large"
