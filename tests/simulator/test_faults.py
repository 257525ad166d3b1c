"""Injected faults: each has its effect, as often as its share says, the same in every run."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from headrace.simulator import FaultKind, RequestLog, Simulator

from ._client import CHAT, NOTHING, Response, ask, open_client, request, steady

pytestmark = pytest.mark.trio


async def respond_with_fault(
    kind: FaultKind, path: str = "/v1/messages", *, stream: bool = False
) -> Response:
    return await ask(steady(faults={kind: 1.0}), request(stream=stream), path)


@pytest.mark.parametrize("kind", ["429", "529", "500"])
@pytest.mark.parametrize("path", ["/v1/messages", CHAT])
async def test_a_status_fault_is_an_error_of_the_api(
    kind: FaultKind, path: str, autojump_clock: MockClock
) -> None:
    response = await respond_with_fault(kind, path)

    assert response.status == int(kind)
    assert response.json()["error"]["message"]
    assert ("retry-after" in response.headers) == (kind == "429")


async def test_a_reset_sends_nothing(autojump_clock: MockClock) -> None:
    assert await respond_with_fault("reset") == NOTHING
    assert await respond_with_fault("reset", stream=True) == NOTHING


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/v1/messages", CHAT])
async def test_a_cut_response_starts_normally_and_does_not_end(
    path: str, stream: bool, autojump_clock: MockClock
) -> None:
    whole = await ask(steady(), request(stream=stream), path)
    cut = await respond_with_fault("cut", path, stream=stream)

    assert (cut.status, cut.complete) == (200, False)
    assert 0 < len(cut.body) < len(whole.body)
    assert b"message_stop" not in cut.body
    assert b"[DONE]" not in cut.body


async def test_garbage_and_a_proxys_page_have_status_200(autojump_clock: MockClock) -> None:
    garbage, page = await respond_with_fault("garbage"), await respond_with_fault("html", stream=True)

    assert (garbage.status, page.status) == (200, 200)
    assert garbage.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="malformed"):
        garbage.json()
    assert page.headers["content-type"] == "text/html"
    assert page.body.startswith(b"<!DOCTYPE html>")


async def test_a_hanging_request_ends_only_when_the_client_disconnects(autojump_clock: MockClock) -> None:
    app = steady(faults={"hang": 1.0})

    async with trio.open_nursery() as nursery, open_client(app) as client:
        nursery.start_soon(client.post, "/v1/messages", request())
        await trio.sleep(3_600)
        assert not app.log.records
        nursery.cancel_scope.cancel()

    assert [(record.status, record.fault) for record in app.log.records] == [(0, "hang")]


async def run_all(seed: int) -> Simulator:
    faults: dict[FaultKind, float] = {"429": 0.1, "529": 0.1, "500": 0.1, "reset": 0.1, "cut": 0.1}
    app = Simulator(steady(faults=faults).service.profile_at(0), seed=seed)
    async with trio.open_nursery() as nursery:
        for index in range(300):
            nursery.start_soon(ask, app, request(f"{index}"))
    return app


def outcomes(log: RequestLog) -> set[tuple[str, int, str, float]]:
    return {(record.body, record.status, record.fault, record.time) for record in log.records}


async def test_faults_match_their_shares_and_depend_on_the_seed(autojump_clock: MockClock) -> None:
    app = await run_all(1)

    counts = [app.log.statuses[status] for status in (200, 429, 529, 500, 0)]
    assert sum(counts) == 300
    assert all(15 <= count <= 45 for count in counts[1:])
    assert {outcome[:3] for outcome in outcomes((await run_all(1)).log)} == {
        outcome[:3] for outcome in outcomes(app.log)
    }
    assert {outcome[:3] for outcome in outcomes((await run_all(2)).log)} != {
        outcome[:3] for outcome in outcomes(app.log)
    }


async def test_a_retry_draws_again(autojump_clock: MockClock) -> None:
    app = steady(faults={"529": 0.5})

    statuses = {(await ask(app, request())).status for _ in range(20)}

    assert statuses == {200, 529}
