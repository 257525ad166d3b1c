"""Deadlines, idle timeouts and cancellation of the sender, in virtual time (P14)."""

from __future__ import annotations

from contextlib import suppress
from math import inf

import pytest
import trio
from trio.testing import MockClock

from headrace_client.transport import (
    AttemptTimedOut,
    ByteStream,
    ConnectFailed,
    ConnectionPool,
    Origin,
    PoolLimits,
)
from headrace_client.transport.sender import open_pooled_sender

from .scripted import ORIGIN, Peer, always, response, story

pytestmark = pytest.mark.trio


@pytest.fixture(params=[False, True], ids=["scope", "watchdog"])
def watched(request: pytest.FixtureRequest) -> bool:
    """What watches the deadline: a cancel scope per exchange, or the pool's watchdog."""
    return request.param


async def test_an_attempt_ends_at_its_deadline_while_data_arrives(
    watched: bool, autojump_clock: MockClock
) -> None:
    async def drips(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
        with suppress(BrokenPipeError):  # the client closes at the very moment of a drip
            while True:
                await trio.sleep(1)
                await peer.send(b"x")

    async with story(drips, idle_timeout=5, watched=watched) as it:
        start = trio.current_time()
        with pytest.raises(AttemptTimedOut, match="deadline") as late:
            await it.sender.send(b"{}", deadline=start + 60)

        assert trio.current_time() == start + 60
        assert (late.value.sent, late.value.received > 0) == (True, True)
        assert it.pool.statistics().in_use == 0


async def test_an_attempt_ends_after_silence(watched: bool, autojump_clock: MockClock) -> None:
    async def falls_silent(peer: Peer) -> None:
        await peer.request()
        for part in (b"HTTP/1.1 200 OK\r\n", b"content-length: 9\r\n\r\n", b"half"):
            await trio.sleep(4)
            await peer.send(part)
        await peer.wait_closed()

    async with story(falls_silent, idle_timeout=5, watched=watched) as it:
        start = trio.current_time()
        with pytest.raises(AttemptTimedOut, match="sent no data for 5 s"):
            await it.sender.send(b"{}", deadline=start + 60)

        assert trio.current_time() == start + 4 * 3 + 5


async def test_a_sender_works_after_a_timeout_and_no_clock_runs_between_attempts(
    watched: bool,
    autojump_clock: MockClock,
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.wait_closed()

    async with story(silent, silent, always(response(b"hi")), idle_timeout=5) as it:
        for _ in range(2):
            with pytest.raises(AttemptTimedOut):
                await it.sender.send(b"{}")
        await trio.sleep(100)
        assert (await it.sender.send(b"{}")).body == b"hi"
        await trio.sleep(100)


async def test_a_deadline_that_passed_sends_nothing(watched: bool, autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi"))) as it:
        with pytest.raises(AttemptTimedOut) as late:
            await it.sender.send(b"{}", deadline=trio.current_time())

        assert (late.value.sent, it.pool.statistics().opened) == (False, 0)


async def test_connecting_counts_against_the_deadline(autojump_clock: MockClock) -> None:
    async def never(origin: Origin) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError

    pool = ConnectionPool(connect=never, limits=PoolLimits(connect_timeout=100))
    async with open_pooled_sender(pool, ORIGIN, "POST", "/", {}) as sender:
        with pytest.raises(AttemptTimedOut) as late:
            await sender.send(b"{}", deadline=trio.current_time() + 7)

    assert late.value.sent is False
    assert pool.statistics().opening == 0


async def test_connecting_has_its_own_deadline(
    autojump_clock: MockClock,
) -> None:
    async def never(origin: Origin) -> ByteStream:
        await trio.sleep_forever()
        raise AssertionError

    pool = ConnectionPool(connect=never, limits=PoolLimits(connect_timeout=10))
    async with open_pooled_sender(pool, ORIGIN, "POST", "/", {}) as sender:
        start = trio.current_time()
        with pytest.raises(ConnectFailed, match="within 10 s"):
            await sender.send(b"{}", deadline=inf)

    assert trio.current_time() == start + 10


async def test_a_refused_connection_is_a_typed_error(autojump_clock: MockClock) -> None:
    async def refuse(origin: Origin) -> ByteStream:
        raise ConnectionRefusedError("refused")

    pool = ConnectionPool(connect=refuse)
    async with open_pooled_sender(pool, ORIGIN, "POST", "/", {}) as sender:
        with pytest.raises(ConnectFailed, match="refused"):
            await sender.send(b"{}")


async def test_a_cancelled_exchange_closes_its_connection(watched: bool, autojump_clock: MockClock) -> None:
    closed = trio.Event()

    async def slow(peer: Peer) -> None:
        await peer.request()
        await peer.wait_closed()
        closed.set()

    async with story(slow, always(response(b"hi")), idle_timeout=50) as it:
        with trio.move_on_after(3) as scope:
            await it.sender.send(b"{}")
        await closed.wait()

        assert scope.cancelled_caught
        assert (await it.sender.send(b"{}")).body == b"hi"


async def test_a_deadline_inside_a_later_scope_is_the_senders_own(
    watched: bool, autojump_clock: MockClock
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.wait_closed()

    async with story(silent, watched=watched) as it:
        with trio.CancelScope(), pytest.raises(AttemptTimedOut):
            await it.sender.send(b"{}", deadline=trio.current_time() + 5)


async def test_a_sender_may_be_used_from_a_task_that_did_not_open_it(
    watched: bool, autojump_clock: MockClock
) -> None:
    async def silent(peer: Peer) -> None:
        await peer.wait_closed()

    async with story(silent, watched=watched) as it:

        async def attempt() -> None:
            with pytest.raises(AttemptTimedOut):
                await it.sender.send(b"{}", deadline=trio.current_time() + 5)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(attempt)


async def test_a_response_that_arrives_with_the_deadline_is_a_response(
    watched: bool, autojump_clock: MockClock
) -> None:
    async def just_in_time(peer: Peer) -> None:
        with suppress(AssertionError, BrokenPipeError):
            while True:
                await peer.request()
                await trio.sleep(5)
                await peer.send(response(b"hi"))

    async with story(just_in_time, watched=watched) as it:
        for _ in range(10):
            try:
                received = await it.sender.send(b"{}", deadline=trio.current_time() + 5)
            except AttemptTimedOut:
                continue  # the scheduler put the deadline first
            assert received.body == b"hi"
        await trio.sleep(100)


async def test_a_cancelled_task_sends_nothing(watched: bool, autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi"))) as it:
        await it.sender.send(b"{}")
        with trio.CancelScope() as scope:
            scope.cancel()
            await it.sender.send(b"{}")

        assert it.pool.statistics().idle == 1, "the connection was not even taken"


async def test_the_watchdog_aborts_each_exchange_at_its_own_time(autojump_clock: MockClock) -> None:
    """Deadlines in any order, on one pool: later ones first, then an earlier one."""

    async def silent(peer: Peer) -> None:
        await peer.wait_closed()

    ended: list[tuple[float, float]] = []
    async with story(silent, watched=True) as it:

        async def attempt(deadline: float) -> None:
            with pytest.raises(AttemptTimedOut):
                await it.sender.send(b"{}", deadline=deadline)
            ended.append((deadline, trio.current_time()))

        start = trio.current_time()
        async with trio.open_nursery() as nursery:
            for after in (30.0, 50.0, 10.0, 20.0, 40.0):
                nursery.start_soon(attempt, start + after)
                await trio.sleep(1)

        assert ended == [(start + after, start + after) for after in (10.0, 20.0, 30.0, 40.0, 50.0)]
        assert it.pool.statistics().in_use == 0


async def test_an_idle_sender_does_not_wake_the_watchdog(autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi")), watched=True) as it:
        await it.sender.send(b"{}", deadline=trio.current_time() + 5)
        await trio.sleep(100)

        assert (await it.sender.send(b"{}", deadline=trio.current_time() + 5)).body == b"hi"
