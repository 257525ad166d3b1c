"""One table of statuses: which the client retries, on all faces."""

from __future__ import annotations

import httpx
import pytest

from headrace_client import APIStatusError
from headrace_client._wire.statuses import STATUSES, status_meaning
from headrace_client.testing import reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio

MAY_PASS = [408, 409, 424, 425, 429, 498, 499, *range(500, 531), 598, 599]
FINAL = [
    400,
    401,
    402,
    403,
    404,
    405,
    406,
    410,
    411,
    412,
    413,
    414,
    415,
    418,
    421,
    422,
    423,
    426,
    431,
    451,
    497,
]
BEHIND_A_GATEWAY = {502, 504, 520, 524, 598}


@pytest.mark.parametrize("status", MAY_PASS)
async def test_what_may_pass_is_retried(backend: Backend, status: int) -> None:
    client, api = backend.scripted(reply(status), reply(json={"ok": 1}))

    response = await settle(client.post("/foo", cast_to=httpx.Response, body={}))

    assert response.json() == {"ok": 1}
    assert len(api.requests) == 2


@pytest.mark.parametrize("status", FINAL)
async def test_what_does_not_pass_is_raised_at_once(backend: Backend, status: int) -> None:
    client, api = backend.scripted(reply(status))

    with pytest.raises(APIStatusError) as caught:
        await settle(client.post("/foo", cast_to=httpx.Response, body={}))

    assert caught.value.status_code == status
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("status", "said", "attempts"), [(424, "false", 1), (498, "false", 1), (404, "true", 2)]
)
async def test_the_server_overrides_the_table(
    backend: Backend, status: int, said: str, attempts: int
) -> None:
    client, api = backend.scripted(reply(status, headers={"x-should-retry": said}), reply(status))

    with pytest.raises(APIStatusError):
        await settle(client.post("/foo", cast_to=httpx.Response, body={}, options={"max_retries": 1}))

    assert len(api.requests) == attempts


def test_only_what_a_gateway_has_passed_on_may_be_billed() -> None:
    assert {status for status in range(300, 1000) if status_meaning(status).passed_on} == BEHIND_A_GATEWAY


def test_every_status_has_a_meaning() -> None:
    for status in range(300, 1000):
        assert status_meaning(status).may_pass == (status >= 500 or status in STATUSES)
