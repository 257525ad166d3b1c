"""Dead connections: the server closes an idle connection at the moment in which the next request arrives.

Nothing is wrong with the job or the server, so the job is sent again at once on a new connection, once, and
uses up no attempt. It counts as maybe billed if the whole request had been sent.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from trio.testing import MockClock

from headrace.policy.options import Limits, RequestOptions
from headrace.run.summary import Summary
from tests.runner.disk import SimulatedDisk
from tests.runner.program import ERRORS, jobs, new_disk, records, run, simulator
from tests.transport.scripted import Peer, Server, response, serving

pytestmark = pytest.mark.trio

MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Hello"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 5, "output_tokens": 2},
}
ANSWER = response(json.dumps(MESSAGE).encode(), b"content-type: application/json")
EVENTS: list[dict[str, Any]] = [
    {"type": "message_start", "message": {**MESSAGE, "content": [], "stop_reason": None}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    {"type": "message_stop"},
]
STREAMED = response(
    b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in EVENTS
    ),
    b"content-type: text/event-stream",
)
FAILED = response(b"", status=b"500 Internal Server Error")


def serves(*answers: bytes | None) -> Callable[[Peer], Awaitable[None]]:
    """Return a script that gives these answers and closes at the request after them; None closes, too."""

    async def script(peer: Peer) -> None:
        for answer in (*answers, None):
            await peer.request()
            if answer is None:
                peer.stream.close()
                return
            await peer.send(answer)

    async def until_closed(peer: Peer) -> None:
        try:
            await script(peer)
        except (AssertionError, OSError):
            return  # the run is over

    return until_closed


async def run_against(
    *scripts: Callable[[Peer], Awaitable[None]], count: int, **options: Any
) -> tuple[Summary, SimulatedDisk, Server]:
    disk = new_disk(jobs(count))
    async with serving(*scripts) as server:
        options = {
            "concurrency": 1,
            "max_attempts": 1,
            "limits": Limits(rpm=60_000_000),
            **options,
        }  # no search for the rate
        summary = await run(disk, simulator(), network=lambda _: server.connect, **options)
    return summary, disk, server


@pytest.mark.parametrize(("answer", "stream"), [(ANSWER, False), (STREAMED, True)])
async def test_the_job_is_sent_again_at_once_and_uses_up_no_attempt(
    autojump_clock: MockClock, answer: bytes, stream: bool
) -> None:
    """Every connection serves one job; all jobs after the first meet a dead one."""
    summary, disk, server = await run_against(serves(answer), count=5, request=RequestOptions(stream=stream))

    assert (summary.exit_code, summary.results, summary.failed) == (0, 5, 0)
    assert len(server.connections) == 5
    notes = [record["headrace"] for record in records(disk)]
    assert [note["queued_s"] for note in notes] == [0.0] * 5
    assert [note["attempts"] for note in notes] == [1, 2, 2, 2, 2]
    assert [note.get("maybe_billed", 0) for note in notes] == [0, 1, 1, 1, 1]
    assert summary.run.maybe_billed == 4
    assert summary.run.retries == {"connection": 4}


async def test_what_was_not_sent_as_a_whole_is_not_maybe_billed(autojump_clock: MockClock) -> None:
    """The request is too large for the server's buffer, and the server closes after its head."""

    async def closes_early(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.stream.receive_some()
        peer.stream.close()

    lines = jobs(1) + jobs(2, metadata={"user_id": "x" * 2_000_000}).split(b"\n")[1] + b"\n"
    disk = new_disk(lines)
    async with serving(closes_early, serves(ANSWER)) as server:
        summary = await run(
            disk, simulator(), network=lambda _: server.connect, concurrency=1, max_attempts=1
        )

    assert (summary.results, summary.run.maybe_billed) == (2, 0)


async def test_it_happens_once_per_job(autojump_clock: MockClock) -> None:
    """The second job meets a dead connection, a 500 on a new one, and then another end of a connection."""
    summary, disk, server = await run_against(
        serves(ANSWER), serves(FAILED), serves(None), serves(ANSWER), count=2, max_attempts=2
    )

    assert (summary.results, summary.failed) == (1, 1)
    assert len(server.connections) == 3
    [failure] = records(disk, ERRORS)
    assert failure["headrace"]["attempts"] == 3


async def test_the_end_of_a_new_connection_is_a_failure(autojump_clock: MockClock) -> None:
    summary, disk, _ = await run_against(serves(None), count=1)

    assert (summary.results, summary.failed) == (0, 1)
    assert records(disk, ERRORS)[0]["headrace"]["attempts"] == 1


async def test_a_response_that_had_begun_is_a_failure(autojump_clock: MockClock) -> None:
    async def cut(peer: Peer) -> None:
        await peer.request()
        await peer.send(ANSWER)
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        peer.stream.close()

    summary, _, _ = await run_against(cut, count=2)

    assert (summary.results, summary.failed) == (1, 1)


async def test_many_dead_connections_do_not_count_as_an_outage(autojump_clock: MockClock) -> None:
    """A server that restarts closes all idle connections: no backoff, no circuit breaker, no quota."""
    summary, disk, server = await run_against(serves(ANSWER), count=400, concurrency=40)

    assert (summary.results, summary.failed) == (400, 0)
    assert {record["headrace"]["queued_s"] for record in records(disk)} == {0.0}
    assert len(server.connections) == 400


async def test_it_counts_at_its_worst_against_the_budget(autojump_clock: MockClock) -> None:
    """Two jobs and what the dead connection may have cost fit; with one less they do not."""
    line = b'{"custom_id":"a","params":{"model":"claude-sonnet-4-5","max_tokens":1000000,"messages":[]}}\n'
    for budget, results in ((46.0, 2), (29.0, 1)):
        disk = new_disk(line + line.replace(b'"a"', b'"b"'))
        async with serving(serves(ANSWER)) as server:
            summary = await run(
                disk, simulator(), network=lambda _, it=server: it.connect, concurrency=1, max_cost=budget
            )
        assert summary.results == results
