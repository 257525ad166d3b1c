"""Errors inside a 200 are the same errors as with the status that they name, in the client as well."""

from __future__ import annotations

import json
from typing import Any

import pytest

import headrace_client
from headrace_client import APIStatusError
from headrace_client.testing import reply
from headrace_client.types import Message, ModelInfo
from tests.client.backends import Backend, settle
from tests.client.test_lenient_reading import MESSAGE

pytestmark = pytest.mark.anyio


def inside(body: object) -> Any:
    return reply(200, body=json.dumps(body).encode(), headers={"content-type": "application/json"})


ERRORS: list[tuple[object, int, str]] = [
    ({"type": "error", "error": {"type": "overloaded_error", "message": "no"}}, 529, "OverloadedError"),
    ({"error": {"code": 429, "message": "no"}}, 429, "RateLimitError"),
    ({"error": {"code": "429", "message": "no"}}, 429, "RateLimitError"),
    ([{"error": {"status": "RESOURCE_EXHAUSTED", "message": "no"}}], 429, "RateLimitError"),
    ({"error": {"code": 400, "message": "no"}}, 400, "BadRequestError"),
    ({"error": {"type": "authentication_error", "message": "no"}}, 401, "AuthenticationError"),
    ({"error": {"code": 402, "message": "no"}}, 402, "APIStatusError"),
    ({"error": {"status": "UNAVAILABLE"}}, 503, "ServiceUnavailableError"),
    ({"error": "Too Many Requests"}, 429, "RateLimitError"),
    ({"code": 429, "message": "slow down"}, 429, "RateLimitError"),
    ("Too Many Requests", 429, "RateLimitError"),
    ({"error": {"message": "no"}}, 500, "InternalServerError"),
    ({**MESSAGE, "error": {"code": 500, "message": "no"}}, 500, "InternalServerError"),
]


@pytest.mark.parametrize(("body", "status", "name"), ERRORS)
async def test_an_error_inside_a_200_is_raised_as_that_of_its_status(
    backend: Backend, body: object, status: int, name: str
) -> None:
    client, _ = backend.scripted(inside(body), max_retries=0)

    with pytest.raises(APIStatusError) as caught:
        await settle(client.post("/v1/messages", cast_to=Message))

    assert type(caught.value) is getattr(headrace_client, name)
    assert (caught.value.status_code, caught.value.response.status_code) == (status, 200)
    assert caught.value.body == body


@pytest.mark.parametrize(("body", "status", "name"), ERRORS)
async def test_it_is_retried_as_with_its_status(
    backend: Backend, body: object, status: int, name: str
) -> None:
    client, api = backend.scripted(inside(body), inside(MESSAGE), max_retries=1)

    try:
        await settle(client.post("/v1/messages", cast_to=Message))
    except APIStatusError:
        assert len(api.requests) == 1
        assert 400 <= status < 429
    else:
        assert len(api.requests) == 2
        assert status == 429 or status >= 500


@pytest.mark.parametrize("error", [None, {}, "", [], False, {"message": "", "code": None}, {"code": 0}])
async def test_an_empty_error_is_none(backend: Backend, error: object) -> None:
    client, _ = backend.scripted(inside({**MESSAGE, "error": error}), max_retries=0)

    assert (await settle(client.post("/v1/messages", cast_to=Message))).content[0].text == "Hello"


async def test_the_word_in_an_answer_is_not_an_error(backend: Backend) -> None:
    block = {"type": "tool_use", "id": "t", "name": "n", "input": {"error": {"code": 429, "message": "no"}}}
    client, _ = backend.scripted(inside({**MESSAGE, "content": [block]}), max_retries=0)

    assert (await settle(client.post("/v1/messages", cast_to=Message))).content[0].input == block["input"]


async def test_a_raw_response_is_left_as_it_is(backend: Backend) -> None:
    body = {"error": {"code": 429, "message": "no"}}
    client, _ = backend.scripted(inside(body), max_retries=0)

    raw = await settle(client.models.with_raw_response.retrieve("m"))

    assert json.loads(raw.content) == body


async def test_other_answers_of_the_api_are_looked_into(backend: Backend) -> None:
    client, _ = backend.scripted(inside({"error": {"code": 404, "message": "no"}}), max_retries=0)

    with pytest.raises(headrace_client.NotFoundError):
        await settle(client.get("/v1/models/m", cast_to=ModelInfo))
