"""The body of a response as the requested type."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

import httpx
import pytest

from headrace_client import (
    APIResponseValidationError,
    BaseModel,
)
from headrace_client.testing import reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

JSON = {"content-type": "application/json"}


class Cat(BaseModel):
    name: str
    lives: int


class Dog(BaseModel):
    name: str


async def get(backend: Backend, answer: Any, cast_to: Any, **settings: Any) -> Any:
    client, _ = backend.scripted(answer, max_retries=0, **settings)
    return await settle(client.get("/x", cast_to=cast_to))


@pytest.mark.parametrize(
    ("body", "cast_to", "expected"),
    [
        ("true", bool, True),
        ("TrUe", bool, True),
        ("false", bool, False),
        ("5", int, 5),
        ("2.5", float, 2.5),
        ("text", str, "text"),
        ("text", bytes, b"text"),
        ("text", type(None), None),
        ("text", object, "text"),
        ("", object, ""),
        ('{"name":"a"}', str, '{"name":"a"}'),
        ('{"name":"a","lives":9}', Cat, Cat(name="a", lives=9)),
        ('{"name":"a","lives":9}', Annotated[Cat, "anything"], Cat(name="a", lives=9)),
        ('{"name":"a"}', Cat | Dog, Dog(name="a")),
    ],
)
async def test_types_that_do_not_depend_on_the_content_type(
    backend: Backend, body: str, cast_to: Any, expected: object
) -> None:
    """A model is read from JSON even if the content type is not JSON."""
    assert await get(backend, reply(body=body), cast_to) == expected


@pytest.mark.parametrize(
    ("body", "cast_to", "expected"),
    [
        ('{"a":[1]}', object, {"a": [1]}),
        ('{"a":1}', dict[str, int], {"a": 1}),
        ("[1]", list[int], [1]),
        ('["2024-01-01"]', list[dt.date], [dt.date(2024, 1, 1)]),
        ("null", object, None),
        ("null", Cat, None),
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "application/vnd.x+json; charset=utf-8"])
async def test_types_from_json(
    backend: Backend, body: str, cast_to: Any, expected: object, content_type: str
) -> None:
    answer = reply(body=body, headers={"content-type": content_type})

    assert await get(backend, answer, cast_to) == expected


async def test_no_content_is_empty_text(backend: Backend) -> None:
    assert await get(backend, reply(204), object) == ""


async def test_other_text_instead_of_a_users_model(backend: Backend) -> None:
    answer = reply(body="it works", headers={"content-type": "application/text"})

    assert await get(backend, answer, Cat) == "it works"
    assert await get(backend, answer, Cat | Dog) == "it works"
    with pytest.raises(APIResponseValidationError, match="of the response is 'application/text'"):
        await get(backend, answer, Cat, _strict_response_validation=True)


async def test_a_page_from_a_proxy_is_not_a_message(backend: Backend) -> None:
    """Unlike the reference SDK: the API's responses are JSON, or an error."""
    client, _ = backend.scripted(reply(body="<html>", headers={"content-type": "text/html"}))

    with pytest.raises(APIResponseValidationError, match="text/html") as caught:
        await settle(client.messages.create(model="m", max_tokens=1, messages=[]))

    assert caught.value.body == "<html>"


@pytest.mark.parametrize("body", ["", "{nope"])
@pytest.mark.parametrize("cast_to", [Cat, object, dict[str, Any]], ids=["model", "object", "dict"])
async def test_bad_json_is_a_validation_error(backend: Backend, body: str, cast_to: Any) -> None:
    """Unlike the reference SDK."""
    with pytest.raises(APIResponseValidationError) as caught:
        await get(backend, reply(body=body, headers=JSON), cast_to)

    assert (caught.value.body, caught.value.status_code) == (body, 200)
    assert caught.value.__cause__ is not None


@pytest.mark.parametrize("cast_to", [int, float])
async def test_text_that_is_not_a_number_is_a_validation_error(backend: Backend, cast_to: Any) -> None:
    with pytest.raises(APIResponseValidationError):
        await get(backend, reply(body="many"), cast_to)


async def test_a_mismatch_is_kept_or_in_strict_mode_an_error(backend: Backend) -> None:
    answer = reply(json={"name": 5, "lives": "9"})

    loose = await get(backend, answer, Cat)
    with pytest.raises(APIResponseValidationError, match="invalid for expected schema") as caught:
        await get(backend, answer, Cat, _strict_response_validation=True)

    assert (loose.name, loose.lives) == (5, "9")
    assert "Expected `str`, got `int` - at `$.name`" in str(caught.value.__cause__)


class FakePydanticModel:
    """It looks like a pydantic model."""

    __module__ = "pydantic.main"


@pytest.mark.parametrize(
    ("cast_to", "error"),
    [
        (FakePydanticModel, TypeError),
        (type("Foreign", (), {}), RuntimeError),
        (type("MyResponse", (httpx.Response,), {}), ValueError),
    ],
)
async def test_types_that_a_response_cannot_have(
    backend: Backend, cast_to: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await get(backend, reply(json={}), cast_to)


async def test_the_response_of_the_http_library(backend: Backend) -> None:
    assert isinstance(await get(backend, reply(json=[1]), httpx.Response), httpx.Response)


async def test_a_model_has_the_id_of_its_request(backend: Backend) -> None:

    class Owner(BaseModel):
        cat: Cat

    answer = reply(json={"cat": {"name": "a", "lives": 9}}, headers={"request-id": "req_1"})
    owner = await get(backend, answer, Owner)

    assert owner._request_id == "req_1"
    with pytest.raises(AttributeError):
        _ = owner.cat._request_id
