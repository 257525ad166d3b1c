"""Which failures are tried again, and when."""

from __future__ import annotations

import httpx
import pytest

from headrace_client import APIStatusError
from headrace_client.testing import reply
from tests.client.faces import Face, settle

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_transient_statuses_are_retried(face: Face, status: int) -> None:
    """Item 68."""
    client, api = face.scripted(reply(status), reply(json={"ok": True}))

    response = await settle(client.post("/foo", cast_to=httpx.Response, body={}))

    assert response.json() == {"ok": True}
    assert [request.headers["x-stainless-retry-count"] for request in api.requests] == ["0", "1"]
    assert len(face.sleeps) == 1
    assert 0.375 < face.sleeps[0] <= 0.5


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 418, 422])
async def test_final_statuses_are_not_retried(face: Face, status: int) -> None:
    """Item 68."""
    client, api = face.scripted(reply(status))

    with pytest.raises(APIStatusError) as caught:
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert caught.value.status_code == status
    assert len(api.requests) == 1
