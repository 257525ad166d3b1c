"""The pool: which connection is reused, when one is opened, who waits."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from headrace_client.transport import ByteStream, ConnectFailed, ConnectionPool, Origin, PoolLimits
from headrace_client.transport.connection_pool import Connection
from headrace_client.transport.http1 import ReadLimits
from headrace_client.transport.pool import PoolState

from .scripted import ORIGIN, always, response, serving, story

OTHER = Origin("http", "other.test", 80)


def opened(slots: PoolState[str], *names: str) -> None:
    """Put new connections into the pool, reusable until 100."""
    for name in names:
        slots.begin_opening()
        slots.end_opening(success=True)
        slots.put_back(name, ORIGIN, 100)


def test_the_newest_idle_connection_goes_first() -> None:
    slots = PoolState[str](PoolLimits())
    opened(slots, "a", "b")

    assert slots.take(ORIGIN, 0) == ("b", ())
    assert slots.take(ORIGIN, 0) == ("a", ())
    assert slots.take(ORIGIN, 0) == (None, ())
    assert slots.take(OTHER, 0) == (None, ())


def test_expired_connections_are_returned_to_be_closed() -> None:
    slots = PoolState[str](PoolLimits())
    for _ in range(3):
        slots.begin_opening()
        slots.end_opening(success=True)
    for name, until in (("old", 10), ("fit", 30), ("short-lived", 5)):
        slots.put_back(name, ORIGIN, until)

    chosen, expired = slots.take(ORIGIN, 20)

    assert (chosen, set(expired)) == ("fit", {"old", "short-lived"})
    assert slots.statistics().idle == 0


def test_the_number_of_openings_at_once_grows_with_success_and_halves_with_failure() -> None:
    slots = PoolState[str](PoolLimits(max_opening=18))

    def window() -> int:
        begun = 0
        while slots.may_open():
            slots.begin_opening()
            begun += 1
        for _ in range(begun):
            slots.give_up_opening()
        return begun

    sizes = [window()]
    for success in (True, True, True, False, False):
        slots.begin_opening()
        slots.end_opening(success=success)
        sizes.append(window())

    assert sizes == [16, 17, 18, 18, 9, 4]


def test_a_full_pool_closes_an_idle_connection_to_another_origin() -> None:
    slots = PoolState[str](PoolLimits(max_connections=2))
    opened(slots, "a", "b")

    assert slots.may_open()
    assert slots.begin_opening() == "a"
    slots.end_opening(success=True)
    assert slots.take(ORIGIN, 0) == ("b", ())
    assert not slots.may_open()


def test_a_returned_connection_goes_to_the_first_in_line() -> None:
    slots = PoolState[str](PoolLimits(max_connections=1))
    opened(slots, "a")
    slots.take(ORIGIN, 0)
    elsewhere, first, second = slots.wait(OTHER), slots.wait(ORIGIN), slots.wait(ORIGIN)

    assert slots.put_back("a", ORIGIN, 100) is first
    assert first.connection == "a"
    assert slots.put_back("a", ORIGIN, 100) is second
    assert slots.put_back("a", ORIGIN, 100) is None
    assert slots.next_to_open() is elsewhere
    assert slots.statistics().waiting == 0


async def finish(pool: ConnectionPool, connection: Connection) -> None:
    """Do one exchange on the connection and return it."""
    connection.reader.begin(ReadLimits())
    await connection.stream.send_all(b"GET / HTTP/1.1\r\n\r\n")
    while not connection.reader.complete:
        connection.reader.feed(await connection.stream.receive_some())
    pool.release(connection, trio.current_time())


@pytest.mark.trio
async def test_never_more_connections_than_allowed(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=3))
        highest = 0

        async def use() -> None:
            nonlocal highest
            connection = await pool.acquire(ORIGIN)
            highest = max(highest, pool.statistics().in_use)
            await trio.sleep(1)
            await finish(pool, connection)

        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(use)

        statistics = pool.statistics()
        pool.close()

    assert (highest, statistics.opened, statistics.reused) == (3, 3, 17)
    assert (statistics.idle, statistics.in_use, statistics.waiting) == (3, 0, 0)


@pytest.mark.trio
async def test_tasks_that_start_together_open_a_few_at_once(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        highest = 0

        async def slow_connect(origin: Origin) -> ByteStream:
            nonlocal highest
            highest = max(highest, pool.statistics().opening)
            await trio.sleep(1)
            return await server.connect(origin)

        pool = ConnectionPool(connect=slow_connect, limits=PoolLimits(max_opening=20))
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(pool.acquire, ORIGIN)

        assert (highest, pool.statistics().opened, pool.statistics().in_use) == (20, 100, 100)


@pytest.mark.trio
async def test_a_waiter_takes_a_returned_connection_before_it_can_open_one(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=1))
        connection = await pool.acquire(ORIGIN)
        taken: list[Connection] = []

        async def take() -> None:
            taken.append(await pool.acquire(ORIGIN))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            await wait_all_tasks_blocked()
            await finish(pool, connection)

    assert taken == [connection]


@pytest.mark.trio
@pytest.mark.parametrize("room", [1, 2])
async def test_a_new_connection_in_place_of_an_idle_one(autojump_clock: MockClock, room: int) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=room))
        await finish(pool, await pool.acquire(ORIGIN))

        connection = await pool.acquire(ORIGIN, new=True)

    assert not connection.reused
    assert (pool.statistics().opened, pool.statistics().idle) == (2, room - 1)


@pytest.mark.trio
async def test_a_waiter_for_a_new_connection_does_not_get_an_idle_one(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=1))
        connection = await pool.acquire(ORIGIN)
        taken: list[Connection] = []

        async def take() -> None:
            taken.append(await pool.acquire(ORIGIN, new=True))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(take)
            await wait_all_tasks_blocked()
            await finish(pool, connection)

    assert not taken[0].reused


@pytest.mark.trio
async def test_a_cancelled_waiter_passes_on_its_grant(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=1))
        connection = await pool.acquire(ORIGIN)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.acquire, ORIGIN)
            await wait_all_tasks_blocked()
            await finish(pool, connection)
            nursery.cancel_scope.cancel()

        statistics = pool.statistics()

    assert (statistics.idle + statistics.in_use, statistics.opening, statistics.waiting) == (1, 0, 0)


@pytest.mark.trio
async def test_a_cancelled_waiter_leaves_the_line(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=1))
        await pool.acquire(ORIGIN)
        with trio.move_on_after(1):
            await pool.acquire(ORIGIN)

        assert pool.statistics().waiting == 0


@pytest.mark.trio
async def test_a_failure_to_open_lets_the_next_waiter_try(autojump_clock: MockClock) -> None:
    failed = 0

    async def refuse(origin: Origin) -> ByteStream:
        await trio.sleep(1)
        raise ConnectionRefusedError("refused")

    pool = ConnectionPool(connect=refuse, limits=PoolLimits(max_opening=1))

    async def attempt() -> None:
        nonlocal failed
        with pytest.raises(ConnectFailed):
            await pool.acquire(ORIGIN)
        failed += 1

    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(attempt)

    assert failed == 10
    assert pool.statistics().opening == 0


@pytest.mark.trio
async def test_a_bug_in_a_connector_frees_its_place(autojump_clock: MockClock) -> None:
    async def broken(origin: Origin) -> ByteStream:
        await trio.lowlevel.checkpoint()
        raise ZeroDivisionError

    pool = ConnectionPool(connect=broken)
    with pytest.raises(ZeroDivisionError):
        await pool.acquire(ORIGIN)

    assert pool.statistics().opening == 0


@pytest.mark.trio
async def test_idle_connections_expire_when_one_is_taken(autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi")), pool_limits=PoolLimits(idle_expiry=10)) as it:
        await it.sender.send(b"{}")
        await trio.sleep(9)
        await it.sender.send(b"{}")
        assert it.pool.statistics().opened == 1
        await trio.sleep(11)
        await it.sender.send(b"{}")

        assert it.pool.statistics().opened == 2


@pytest.mark.trio
async def test_a_closed_pool_closes_its_connections_and_wakes_waiters(autojump_clock: MockClock) -> None:
    async with serving(always(response(b"hi"))) as server:
        pool = ConnectionPool(connect=server.connect, limits=PoolLimits(max_connections=1))
        connection = await pool.acquire(ORIGIN)

        async def wait() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await pool.acquire(ORIGIN)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            await wait_all_tasks_blocked()
            await pool.aclose()
        await finish(pool, connection)

        with pytest.raises(trio.ClosedResourceError):
            await pool.acquire(ORIGIN)
        with pytest.raises(trio.ClosedResourceError):
            await connection.stream.receive_some()
        assert pool.statistics().in_use == 0
