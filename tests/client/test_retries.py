"""Which failures are retried, and when."""

from __future__ import annotations

import math
from typing import Any

import attrs
import httpx
import pytest

from headrace_client import APIStatusError, APITimeoutError, RateLimitError, RetryEvent, omit
from headrace_client.testing import ScriptedAPI, reply
from tests.client.backends import Backend, settle

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
async def test_transient_statuses_are_retried(backend: Backend, status: int) -> None:
    client, api = backend.scripted(reply(status), reply(json={"ok": True}))

    response = await settle(client.post("/foo", cast_to=httpx.Response, body={}))

    assert response.json() == {"ok": True}
    assert [request.headers["x-stainless-retry-count"] for request in api.requests] == ["0", "1"]
    assert backend.clock.sleeps == [0.5 * 0.875]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 418, 422])
async def test_final_statuses_are_not_retried(backend: Backend, status: int) -> None:
    client, api = backend.scripted(reply(status))

    with pytest.raises(APIStatusError) as caught:
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert caught.value.status_code == status
    assert len(api.requests) == 1


@pytest.mark.parametrize(("requested", "waited"), [("3", 3.0), ("171", 171.0)])
async def test_the_client_waits_as_long_as_the_server_requests(
    backend: Backend, requested: str, waited: float
) -> None:
    client, _ = backend.scripted(reply(429, headers={"Retry-After": requested}), reply(json={}))

    await settle(client.get("/foo", cast_to=httpx.Response))

    assert backend.clock.sleeps == [pytest.approx(waited * 1.05)]


async def test_a_wait_beyond_the_cap_ends_the_request(backend: Backend) -> None:
    """Unlike the reference SDK: there is a setting."""
    client, api = backend.scripted(reply(429, headers={"retry-after": "11"}), max_retry_after=10)

    with pytest.raises(RateLimitError):
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert len(api.requests) == 1


async def test_retries_are_limited(backend: Backend) -> None:
    """The default is two retries; the last error is raised."""
    client, api = backend.scripted(reply(500), reply(502), reply(503))

    with pytest.raises(APIStatusError) as caught:
        await settle(client.get("/foo", cast_to=httpx.Response))

    assert caught.value.status_code == 503
    assert len(api.requests) == 3
    assert backend.clock.sleeps == [0.5 * 0.875, 1.0 * 0.875]


async def test_retries_of_one_call(backend: Backend) -> None:
    client, api = backend.scripted(*[reply(500)] * 5, reply(json={}), max_retries=0)

    await settle(client.get("/foo", cast_to=httpx.Response, options={"max_retries": math.inf}))

    assert len(api.requests) == 6


async def test_the_hook_is_called_for_each_retry(backend: Backend) -> None:
    """Unlike the reference SDK: it gets attempt, wait, waited and cause."""
    events: list[RetryEvent] = []
    client, _ = backend.scripted(
        reply(429, headers={"retry-after-ms": "100"}),
        httpx.ReadTimeout("slow"),
        reply(json={}),
        on_retry=events.append,
    )

    await settle(client.get("/foo", cast_to=httpx.Response))

    first, second = events
    assert (first.attempt, first.waited, type(first.cause)) == (1, 0.0, RateLimitError)
    assert (second.attempt, second.waited, type(second.cause)) == (2, first.wait, APITimeoutError)
    assert [event.wait for event in events] == backend.clock.sleeps
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        first.wait = 0  # pyright: ignore[reportAttributeAccessIssue]  # that is the point


async def test_failed_responses_are_read_before_the_wait(backend: Backend) -> None:
    """Their connections are free while the client sleeps."""
    open_while_waiting: list[int] = []

    def note(_: RetryEvent) -> None:
        open_while_waiting.append(api.open_responses)

    client, api = backend.scripted(
        reply(500, body="one"),
        reply(500, body="two"),
        reply(json={}),
        on_retry=note,
    )

    response = await settle(client.get("/foo", cast_to=httpx.Response))

    assert response.json() == {}
    assert open_while_waiting == [0, 0]
    assert api.open_responses == 0


async def test_hooks_run_for_each_attempt(backend: Backend) -> None:
    prepared: list[str] = []

    def prepare_options(_: Any, options: Any) -> Any:
        prepared.append("options")
        options = options.replace(headers={"x-attempt": str(len(prepared))})
        return later(options) if backend.is_async else options

    def prepare_request(_: Any, request: httpx.Request) -> Any:
        prepared.append(request.headers["x-attempt"])
        return later(None) if backend.is_async else None

    async def later(value: Any) -> Any:
        return value

    make = backend.subclass(_prepare_options=prepare_options, _prepare_request=prepare_request)
    api = ScriptedAPI([reply(500), reply(json={})])
    client = make(http_client=api.async_http_client() if backend.is_async else api.http_client())

    await settle(client.get("/foo", cast_to=httpx.Response))

    assert prepared == ["options", "1", "options", "3"]
    assert [request.headers["x-attempt"] for request in api.requests] == ["1", "3"]


async def test_the_count_can_be_overridden_or_omitted(backend: Backend) -> None:
    client, api = backend.scripted(reply(500), reply(json={}), reply(500), reply(json={}))

    for value in ("mine", omit):
        headers = {"X-Stainless-Retry-Count": value}
        await settle(client.get("/foo", cast_to=httpx.Response, options={"headers": headers}))

    assert [request.headers.get("x-stainless-retry-count") for request in api.requests] == [
        "mine",
        "mine",
        None,
        None,
    ]


async def test_a_generated_idempotency_key_is_kept_over_retries(backend: Backend) -> None:
    """Subclasses may name the header."""
    make = backend.subclass(_idempotency_header="X-Idempotency")
    api = ScriptedAPI([reply(500), reply(json={}), reply(json={})])
    client = make(http_client=api.async_http_client() if backend.is_async else api.http_client())

    await settle(client.post("/foo", cast_to=httpx.Response))
    await settle(client.get("/foo", cast_to=httpx.Response))

    first, again, reading = [request.headers.get("x-idempotency") for request in api.requests]
    assert first == again
    assert first.startswith("stainless-python-retry-")
    assert reading is None


async def test_raw_responses_have_the_number_of_retries(backend: Backend) -> None:
    client, _ = backend.scripted(reply(500), reply(500), reply(json={"input_tokens": 1}))

    raw = await settle(client.messages.with_raw_response.count_tokens(model="m", messages=[]))

    assert raw.retries_taken == 2
