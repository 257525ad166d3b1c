"""Batches, models and beta."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest

from headrace_client import AnthropicError, AsyncPage, NotFoundError, SyncPage, omit
from headrace_client.testing import Reply, reply, sse
from headrace_client.types import (
    DeletedMessageBatch,
    Message,
    MessageBatch,
    MessageBatchErroredResult,
    MessageBatchSucceededResult,
    ModelInfo,
)
from tests.client.backends import Backend, each, entered, settle

pytestmark = pytest.mark.anyio

MODEL = {"id": "m-1", "type": "model", "display_name": "M 1", "created_at": "2025-02-19T00:00:00Z"}
BATCH: dict[str, Any] = {
    "id": "msgbatch_1",
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": {"processing": 1, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
    "created_at": "2025-01-01T00:00:00Z",
    "expires_at": "2025-01-02T00:00:00Z",
    "results_url": None,
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hi"}],
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
PROMPT: dict[str, Any] = {"model": "m", "max_tokens": 1, "messages": []}


def page(*items: object) -> Reply:
    return reply(json={"data": items, "has_more": False, "first_id": None, "last_id": None})


async def test_models(backend: Backend) -> None:
    client, api = backend.scripted(page(MODEL), reply(json=MODEL))

    models = await settle(client.models.list(limit=5, after_id="m-0", before_id=omit))
    model = await settle(client.models.retrieve("m-1"))

    assert (AsyncPage if backend.is_async else SyncPage) in type(models).__mro__
    assert models.data == [model]
    assert type(model) is ModelInfo
    assert model.created_at == dt.datetime(2025, 2, 19, tzinfo=dt.UTC)
    assert [str(request.url.raw_path, "ascii") for request in api.requests] == [
        "/v1/models?limit=5&after_id=m-0",
        "/v1/models/m-1",
    ]


async def test_models_with_betas(backend: Backend) -> None:
    client, api = backend.scripted(page(MODEL))

    await settle(client.models.list(betas=["a", "b"]))

    assert api.requests[0].headers["anthropic-beta"] == "a,b"


@pytest.mark.parametrize(
    ("name", "path"), [("a/b c", "/v1/models/a%2Fb%20c"), ("é;x?", "/v1/models/%C3%A9%3Bx%3F")]
)
async def test_path_parameters_stay_one_segment(backend: Backend, name: str, path: str) -> None:
    """Unlike the reference SDK."""
    client, api = backend.scripted(reply(404, json={}))

    with pytest.raises(NotFoundError):
        await settle(client.models.retrieve(name))

    assert api.requests[0].url.raw_path == path.encode()


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_path_parameters_that_would_address_another_path_are_rejected(
    backend: Backend, name: str
) -> None:
    client, api = backend.scripted()

    for call in (lambda: client.models.retrieve(name), lambda: client.messages.batches.cancel(name)):
        with pytest.raises(ValueError, match=r"for `(model_id|message_batch_id)` but received"):
            await settle(call())

    assert api.requests == []


async def test_lists_reject_unknown_parameters(backend: Backend) -> None:
    client, _ = backend.scripted()

    with pytest.raises(TypeError, match="'pages'"):
        client.models.list(pages=3)


async def test_batches(backend: Backend) -> None:
    client, api = backend.scripted(
        *[reply(json=BATCH)] * 2,
        page(BATCH),
        reply(json=BATCH),
        reply(json={"id": "msgbatch_1", "type": "message_batch_deleted"}),
    )
    batches = client.messages.batches

    created = await settle(batches.create(requests=iter([{"custom_id": "a", "params": PROMPT}])))
    retrieved = await settle(batches.retrieve("msgbatch_1", extra_headers={"X-Mine": "1"}))
    listed = [batch async for batch in each(batches.list(limit=1))]
    canceled = await settle(batches.cancel("msgbatch_1"))
    deleted = await settle(batches.delete("msgbatch_1"))

    assert type(created) is MessageBatch
    assert (created.request_counts.processing, created.created_at.year) == (1, 2025)
    assert created == retrieved == canceled == listed[0]
    assert type(deleted) is DeletedMessageBatch
    assert [(request.method, str(request.url.raw_path, "ascii")) for request in api.requests] == [
        ("POST", "/v1/messages/batches"),
        ("GET", "/v1/messages/batches/msgbatch_1"),
        ("GET", "/v1/messages/batches?limit=1"),
        ("POST", "/v1/messages/batches/msgbatch_1/cancel"),
        ("DELETE", "/v1/messages/batches/msgbatch_1"),
    ]
    assert json.loads(api.requests[0].content) == {"requests": [{"custom_id": "a", "params": PROMPT}]}
    assert api.requests[1].headers["x-mine"] == "1"


async def test_the_results_of_a_batch_arrive_line_by_line(backend: Backend) -> None:
    url = "https://api.anthropic.com/v1/messages/batches/msgbatch_1/results"
    failure = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}}
    lines = [
        {"custom_id": "a", "result": {"type": "succeeded", "message": MESSAGE}},
        {"custom_id": "b", "result": {"type": "errored", "error": failure}},
        {"custom_id": "c", "result": {"type": "expired"}},
        {"custom_id": "d", "result": {"type": "from the future", "x": 1}},
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    ended = {**BATCH, "processing_status": "ended", "results_url": url}
    client, api = backend.scripted(reply(json=ended), reply(body=[body[:100], body[100:]]))

    async with entered(await settle(client.messages.batches.results("msgbatch_1"))) as results:
        assert api.open_responses == 1
        found = [line async for line in each(results)]

    assert [line.custom_id for line in found] == ["a", "b", "c", "d"]
    assert isinstance(found[0].result, MessageBatchSucceededResult)
    assert found[0].result.message.content[0].text == "hi"
    assert isinstance(found[1].result, MessageBatchErroredResult)
    assert found[1].result.error.error.type == "invalid_request_error"
    assert (found[3].result.type, found[3].result.x) == ("from the future", 1)
    assert str(api.requests[1].url) == url
    assert api.requests[1].headers["accept"] == "application/binary"
    assert api.open_responses == 0


async def test_a_batch_that_has_not_ended_has_no_results(backend: Backend) -> None:
    client, _ = backend.scripted(reply(json=BATCH))

    with pytest.raises(AnthropicError, match=r"No `results_url` for the given batch; .* in_progress"):
        await settle(client.messages.batches.results("msgbatch_1"))


async def test_beta_marks_the_path_and_names_the_betas(backend: Backend) -> None:
    client, api = backend.scripted(
        reply(json=MESSAGE),
        sse(("message_stop", {})),
        reply(json={"input_tokens": 3}),
        reply(json=BATCH),
        page(MODEL),
        reply(json=MODEL),
        reply(json={"id": "b", "type": "message_batch_deleted"}),
    )
    beta = client.beta

    message = await settle(beta.messages.create(**PROMPT, betas=["x", "y"]))
    stream = await settle(beta.messages.create(**PROMPT, stream=True, extra_query={"more": "1"}))
    await settle(stream.close())
    await settle(beta.messages.count_tokens(model="m", messages=[], betas=["x"]))
    await settle(beta.messages.batches.create(requests=[]))
    await settle(beta.models.list(limit=1))
    await settle(beta.models.retrieve("m-1"))
    await settle(beta.messages.batches.delete("b", extra_headers={"Anthropic-Beta": "mine"}))

    assert type(message) is Message
    assert b"betas" not in api.requests[0].content
    seen = [
        (str(request.url.raw_path, "ascii"), request.headers.get("anthropic-beta"))
        for request in api.requests
    ]
    assert seen == [
        ("/v1/messages?beta=true", "x,y"),
        ("/v1/messages?beta=true&more=1", None),
        ("/v1/messages/count_tokens?beta=true", "x,token-counting-2024-11-01"),
        ("/v1/messages/batches?beta=true", "message-batches-2024-09-24"),
        ("/v1/models?beta=true&limit=1", None),
        ("/v1/models/m-1?beta=true", None),
        ("/v1/messages/batches/b?beta=true", "mine,message-batches-2024-09-24"),
    ]


async def test_beta_results_name_their_beta_at_the_url_of_the_batch(backend: Backend) -> None:
    url = "https://api.anthropic.com/v1/messages/batches/b/results"
    client, api = backend.scripted(reply(json={**BATCH, "results_url": url}), reply(body=b""))

    assert [line async for line in each(await settle(client.beta.messages.batches.results("b")))] == []
    betas = [request.headers["anthropic-beta"] for request in api.requests]
    assert betas == ["message-batches-2024-09-24"] * 2


async def test_all_pages_of_beta_lists_are_beta(backend: Backend) -> None:
    first = reply(json={"data": [MODEL], "has_more": True, "last_id": "m-1"})
    client, api = backend.scripted(first, page(MODEL))

    found = [model async for model in each(client.beta.models.list(betas=["x"]))]

    assert len(found) == 2
    assert [dict(request.url.params) for request in api.requests] == [
        {"beta": "true"},
        {"beta": "true", "after_id": "m-1"},
    ]
    assert [request.headers["anthropic-beta"] for request in api.requests] == ["x", "x"]


async def test_beta_resources_take_options_and_return_raw_responses(backend: Backend) -> None:
    client, api = backend.scripted(reply(json=MESSAGE), reply(json=BATCH))

    headed = client.beta.messages.with_options(headers={"X-Mine": "1"})
    await settle(headed.create(**PROMPT))
    raw = await settle(client.beta.messages.batches.with_raw_response.retrieve("b"))

    assert (await settle(raw.parse())).id == "msgbatch_1"
    assert api.requests[0].headers["x-mine"] == "1"
    assert api.requests[0].url.query == b"beta=true"
    assert api.requests[1].url.query == b"beta=true"
    assert api.requests[1].headers["anthropic-beta"] == "message-batches-2024-09-24"


async def test_resources_are_made_once(backend: Backend) -> None:
    client, _ = backend.scripted()

    assert client.models is client.models
    assert client.messages.batches is client.messages.batches
    assert client.beta.messages is client.beta.messages
