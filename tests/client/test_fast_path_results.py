"""Requests on the fast path have the same results as those through httpx's client layer."""

from __future__ import annotations

import logging
import pickle
from typing import Any

import attrs
import httpx
import pytest
import trio
from trio.testing import MockClock

from headrace_client import APIError, AsyncAPIClient, AsyncAPIResponse
from headrace_client._base_client.clock import SystemClock
from headrace_client._httpx.transport import HttpxTransport
from headrace_client.transport import ByteStream, ConnectionPool, Origin, PoolLimits
from headrace_client.types import Message
from tests.client.fast_path_cases import CASES, Case
from tests.transport.scripted import Peer, Script, serving

pytestmark = pytest.mark.trio

BASE_URL = "http://api.test/v1"


class SteadyClock(SystemClock):
    """The real clock, without jitter."""

    def random(self) -> float:
        return 0.0


@attrs.frozen
class Observed:
    """Everything that a caller and the server see of one call."""

    result: Any
    sent: list[tuple[str, frozenset[str], bytes]]
    connections: int
    took: float


def visible_of(answer: httpx.Response) -> dict[str, Any]:
    """Return everything that is visible of a response."""
    request = answer.request
    return {
        "status": (answer.status_code, answer.reason_phrase, answer.http_version),
        "headers": answer.headers.multi_items(),
        "body": (answer.content, answer.text, answer.encoding, answer.num_bytes_downloaded),
        "state": (answer.is_closed, answer.is_stream_consumed, answer.history, answer.is_success),
        "elapsed": answer.elapsed.total_seconds() >= 0,
        "url": (answer.url, request.method, request.url),
        "request": (sorted(request.headers.items()), request.content, request.extensions),
        "cookies": dict(answer.cookies),
        "again": list(answer.iter_bytes()),
    }


def visible_of_error(error: APIError) -> dict[str, Any]:
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None:
        causes.append(f"{type(cause).__name__}: {cause}")
        cause = cause.__cause__
    answer = getattr(error, "response", None)
    request = error.request
    return {
        "causes": causes,
        "body": error.body,
        "request": (request.method, request.url, sorted(request.headers.items())),
        "response": None if answer is None else visible_of(answer),
        "pickled": str(pickle.loads(pickle.dumps(error))),
    }


async def observe(case: Case, *, fast: bool) -> Observed:
    """Make the call of the case, on the fast path or through httpx."""
    sent: list[bytes] = []

    def recording(script: Script) -> Script:
        async def recorded(peer: Peer) -> None:
            request = peer.request

            async def recorded_request() -> bytes:
                sent.append(await request())
                return sent[-1]

            peer.request = recorded_request
            await script(peer)

        return recorded

    async with serving(*map(recording, case.scripts)) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(connect_timeout=3))
        settings: dict[str, Any] = {"pool": pool}
        if not fast:
            transport = HttpxTransport(pool)
            settings = {"http_client": httpx.AsyncClient(transport=transport, follow_redirects=True)}
        client = AsyncAPIClient(version="7", base_url=BASE_URL, timeout=20, **settings)
        client.clock = SteadyClock()
        started_at = trio.current_time()
        async with client:
            result = await call(client, case)
            took = trio.current_time() - started_at
            return Observed(result, [split(request) for request in sent], len(server.connections), took)


async def call(client: AsyncAPIClient, case: Case) -> dict[str, Any]:
    arguments: dict[str, Any] = {"cast_to": Message, **case.call}
    options = arguments.get("options", {})
    headers = {"X-Stainless-Raw-Response": "true", **options.get("headers", {})}
    arguments["options"] = {**options, "headers": headers}
    if case.method == "post" and not arguments.keys() & {"body", "content"}:
        arguments["body"] = {"a": "é"}
    try:
        answer: AsyncAPIResponse[Any] = await getattr(client, case.method)("/messages", **arguments)
        parsed = await answer.parse()
    except APIError as error:
        return visible_of_error(error)
    return {
        "parsed": (
            type(parsed).__name__.removeprefix("Lazy"),
            repr(parsed),
            getattr(parsed, "_request_id", None),
        ),
        "view": (answer.status_code, answer.request_id, answer.retries_taken, answer.is_closed),
        **visible_of(answer.http_response),
    }


def split(request: bytes) -> tuple[str, frozenset[str], bytes]:
    head, _, body = request.partition(b"\r\n\r\n")
    start, *lines = head.decode().lower().split("\r\n")
    return start, frozenset(lines), body


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_both_paths_give_the_same_result(
    case: Case,
    caplog: pytest.LogCaptureFixture,
    sent_by_httpx: list[httpx.Request],
    autojump_clock: MockClock,
) -> None:
    caplog.set_level(logging.WARNING, logger="headrace_client")  # writing the log would look at everything

    through_httpx = await observe(case, fast=False)
    through_httpx_count = len(sent_by_httpx)
    fast_path = await observe(case, fast=True)

    assert attrs.asdict(fast_path) == attrs.asdict(through_httpx)
    assert 0 < through_httpx_count == len(sent_by_httpx)


async def test_a_failed_connection_gives_the_same_error(autojump_clock: MockClock) -> None:
    async def refuse(origin: Origin) -> ByteStream:
        raise ConnectionRefusedError

    async def never(origin: Origin) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError

    async def failure(settings: dict[str, Any]) -> dict[str, Any]:
        async with AsyncAPIClient(
            version="7", base_url=BASE_URL, timeout=20, max_retries=0, **settings
        ) as client:
            return await call(client, Case(name="", scripts=()))

    for connect in (refuse, never):
        pool = ConnectionPool(connect=connect)
        transport = HttpxTransport(ConnectionPool(connect=connect))
        through_httpx = await failure({"http_client": httpx.AsyncClient(transport=transport)})

        assert await failure({"pool": pool}) == through_httpx
