"""The sender over memory streams in virtual time: one attempt, and what happens to its connection."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from math import inf

import pytest
import trio
from trio.testing import MockClock

from headrace_client.transport import (
    ConnectionLost,
    ProtocolViolation,
    ReadLimits,
    ResponseTooLarge,
)
from headrace_client.transport.http1 import LINGER

from .scripted import Peer, always, response, story

pytestmark = pytest.mark.trio


async def test_a_sender_sends_its_request_and_returns_the_response(autojump_clock: MockClock) -> None:
    requests: list[bytes] = []

    async def script(peer: Peer) -> None:
        requests.append(await peer.request())
        await trio.sleep(2)
        await peer.send(response(b"he", b"Request-Id: req_1", framing=b"content-length: 5"))
        await trio.sleep(3)
        await peer.send(b"llo")

    async with story(script) as it:
        start = trio.current_time()
        received = await it.sender.send(b"{}", retries_taken=2)

    assert b"x-stainless-retry-count: 2\r\ncontent-length: 2\r\n\r\n{}" in requests[0]
    assert (received.status, received.body, received.sent, received.request_id) == (
        200,
        b"hello",
        True,
        "req_1",
    )
    assert received.headers["REQUEST-ID"] == "req_1"
    times = received.started_at, received.first_byte_at, received.finished_at
    assert times == (start, start + 2, start + 5)


async def test_a_connection_serves_one_exchange_after_another(autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi"))) as it:
        for _ in range(3):
            assert (await it.sender.send(b"{}")).body == b"hi"

        statistics = it.pool.statistics()

    assert (statistics.opened, statistics.reused, statistics.idle, statistics.in_use) == (1, 2, 1, 0)


async def test_a_response_of_any_status_is_a_response(autojump_clock: MockClock) -> None:
    async with story(always(response(b"slow down", status=b"429 Too Many Requests"))) as it:
        responses = [await it.sender.send(b"{}") for _ in range(20)]

        assert {received.status for received in responses} == {429}
        assert it.pool.statistics().opened == 1


async def test_on_data_gets_the_decoded_parts_of_a_success_as_they_arrive(autojump_clock: MockClock) -> None:
    seen: list[tuple[float, bytes]] = []
    body = gzip.compress(b"hello", mtime=0)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(
            response(body[:12], b"content-encoding: gzip", framing=b"content-length: %d" % len(body))
        )
        await trio.sleep(7)
        await peer.send(body[12:])

    async with story(script) as it:
        start = trio.current_time()
        received = await it.sender.send(
            b"{}", on_data=lambda data: seen.append((trio.current_time() - start, data))
        )

    assert b"".join(data for _, data in seen) == received.body == b"hello"
    assert seen[-1][0] == 7


async def test_on_data_gets_nothing_of_a_failure(autojump_clock: MockClock) -> None:
    seen: list[bytes] = []

    async with story(always(response(b"oops", status=b"500 Oops"))) as it:
        received = await it.sender.send(b"{}", on_data=seen.append)

    assert (received.body, seen) == (b"oops", [])


async def test_an_error_in_on_data_is_raised_and_closes_the_connection(autojump_clock: MockClock) -> None:
    def fail(data: bytes) -> None:
        raise KeyError(data)

    async with story(always(response(b"hi"))) as it:
        with pytest.raises(KeyError):
            await it.sender.send(b"{}", on_data=fail)

        assert (await it.sender.send(b"{}")).body == b"hi"
        assert it.pool.statistics().opened == 2


def enough(part: bytes) -> Callable[[bytes], bool]:
    return lambda data: part in data


@pytest.mark.parametrize("watched", [True, False])
@pytest.mark.parametrize("after", [LINGER / 2, inf])
async def test_once_on_data_needs_no_more_the_response_is_complete(
    after: float, watched: bool, autojump_clock: MockClock
) -> None:
    """Its connection is used again only if the response ends at once: later bytes belong to nobody."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"hello", framing=b"content-length: 10"))
        if after != LINGER / 2:
            await peer.wait_closed()
            return
        await trio.sleep(after)
        await peer.send(b"world")
        await peer.request()
        await peer.send(response(b"second"))

    async with story(script, always(response(b"second")), watched=watched) as it:
        began = trio.current_time()
        first = await it.sender.send(b"{}", on_data=enough(b"hello"), deadline=began + LINGER)
        elapsed = trio.current_time() - began
        second = await it.sender.send(b"{}")
        opened = it.pool.statistics().opened

    assert (first.body, second.body, elapsed <= LINGER) == (b"hello", b"second", True)
    assert first.finished_at == began
    assert opened == (1 if after == LINGER / 2 else 2)


@pytest.mark.parametrize("watched", [True, False])
async def test_a_deadline_during_the_wait_for_the_end_is_no_failure(
    watched: bool, autojump_clock: MockClock
) -> None:
    async def leaves_open(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"hello", framing=b"content-length: 10"))
        await peer.wait_closed()

    async with story(leaves_open, watched=watched) as it:
        deadline = trio.current_time() + LINGER / 4
        received = await it.sender.send(b"{}", on_data=enough(b"hello"), deadline=deadline)

        assert received.body == b"hello"
        assert (it.pool.statistics().idle, it.pool.statistics().in_use) == (0, 0)


async def test_what_breaks_the_protocol_after_the_last_part_that_matters_is_no_failure(
    autojump_clock: MockClock,
) -> None:
    broken = response(b"5\r\nhello\r\nnonsense\r\n", framing=b"transfer-encoding: chunked")

    async with story(always(broken)) as it:
        received = await it.sender.send(b"{}", on_data=enough(b"hello"))
        with pytest.raises(ProtocolViolation):
            await it.sender.send(b"{}")

        assert received.body == b"hello"
        assert it.pool.statistics().opened == 2


async def test_an_unsolicited_response_is_not_the_response_to_the_next_request(
    autojump_clock: MockClock,
) -> None:
    """httpx 0.28 returns it as the response to the next request."""

    async def hostile(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"yours"))
        await trio.sleep(1)
        await peer.send(response(b"somebody else's"))
        await peer.wait_closed()

    async with story(hostile, always(response(b"second"))) as it:
        first = await it.sender.send(b"{}")
        await trio.sleep(2)
        second = await it.sender.send(b"{}")

    assert (first.body, second.body) == (b"yours", b"second")


@pytest.mark.parametrize("extra", [b"\r\n", b"x", response(b"another")])
async def test_a_response_with_extra_bytes_is_returned_and_its_connection_closed(
    extra: bytes, autojump_clock: MockClock
) -> None:
    async with story(always(response(b"mine") + extra)) as it:
        assert [(await it.sender.send(b"{}")).body for _ in range(2)] == [b"mine", b"mine"]
        assert it.pool.statistics().opened == 2


async def test_a_server_that_sends_first_is_ignored(autojump_clock: MockClock) -> None:
    async def hasty(peer: Peer) -> None:
        await peer.send(response(b"before you asked"))
        await peer.wait_closed()

    async with story(hasty) as it:
        with pytest.raises(ConnectionLost) as lost:
            await it.sender.send(b"{}")

        assert (lost.value.sent, lost.value.received, lost.value.reused) == (False, 0, False)
        assert it.pool.statistics().in_use == 0


async def test_a_connection_that_the_server_closed_is_not_used_again(autojump_clock: MockClock) -> None:
    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"bye"))
        peer.stream.close()

    async with story(once) as it:
        for _ in range(2):
            assert (await it.sender.send(b"{}")).body == b"bye"
            await trio.sleep(1)

        assert it.pool.statistics().opened == 2


async def test_a_reused_connection_that_closes_during_the_request(autojump_clock: MockClock) -> None:
    async def closes_on_the_second(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"hi"))
        await peer.request()
        peer.stream.close()

    async with story(closes_on_the_second) as it:
        await it.sender.send(b"{}")
        with pytest.raises(ConnectionLost) as lost:
            await it.sender.send(b"{}")

        assert (lost.value.sent, lost.value.received, lost.value.reused) == (True, 0, True)
        assert it.pool.statistics().opened == 1, "an exchange never tries again by itself"


@pytest.mark.parametrize("cut", [b"HTTP/1.1 200 O", response(b"hello")[:-1]])
async def test_a_cut_response_is_lost_and_reports_how_much_arrived(
    cut: bytes, autojump_clock: MockClock
) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(cut)
        peer.stream.close()

    async with story(script) as it:
        with pytest.raises(ConnectionLost) as lost:
            await it.sender.send(b"{}")

    assert (lost.value.sent, lost.value.received, lost.value.reused) == (True, len(cut), False)


async def test_a_body_without_length_ends_with_the_connection(autojump_clock: MockClock) -> None:
    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(response(b"all", framing=b""))
        peer.stream.close()

    async with story(script) as it:
        assert (await it.sender.send(b"{}")).body == b"all"
        assert it.pool.statistics().idle == 0


async def test_a_response_to_head_has_no_body(autojump_clock: MockClock) -> None:
    async with story(always(response(framing=b"content-length: 99")), method="HEAD") as it:
        assert [(await it.sender.send(b"")).body for _ in range(2)] == [b"", b""]
        assert it.pool.statistics().opened == 2


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"garbage\r\n", ProtocolViolation),
        (response(b"hi", framing=b"content-length: 2\r\ncontent-length: 2"), ProtocolViolation),
        (response(b"x" * 11), ResponseTooLarge),
        (response(gzip.compress(b"x" * 11, mtime=0), b"content-encoding: gzip"), ResponseTooLarge),
    ],
)
async def test_a_failed_exchange_closes_its_connection_and_reports_its_progress(
    raw: bytes, error: type[Exception], autojump_clock: MockClock
) -> None:
    async with story(always(raw), limits=ReadLimits(body=10)) as it:
        with pytest.raises(error) as failed:
            await it.sender.send(b"{}")

        assert failed.value.__dict__ == {"sent": True, "received": len(raw), "reused": False}
        assert (it.pool.statistics().idle, it.pool.statistics().in_use) == (0, 0)


async def test_an_early_response_to_a_large_body_is_read(autojump_clock: MockClock) -> None:
    async def too_large(peer: Peer) -> None:
        await peer.stream.receive_some()
        await peer.send(response(b"no", status=b"413 Content Too Large"))
        peer.stream.close()

    async with story(too_large) as it:
        received = await it.sender.send(b"x" * 1_000_000)

        assert (received.status, received.body, received.sent) == (413, b"no", False)
        assert it.pool.statistics().idle == 0


async def test_an_early_response_of_a_server_that_stops_reading_is_read(autojump_clock: MockClock) -> None:
    async def stops(peer: Peer) -> None:
        await peer.stream.receive_some()
        await peer.send(response(b"no", status=b"400 Bad Request"))
        await trio.sleep_forever()

    async with story(stops) as it:
        received = await it.sender.send(b"x" * 1_000_000, deadline=trio.current_time() + 10)

        assert (received.status, received.sent) == (400, False)
        assert it.pool.statistics().idle == 0, "half a request was sent on it"


async def test_a_large_body_that_is_read_slowly_arrives_completely(autojump_clock: MockClock) -> None:
    sizes: list[int] = []

    async def slow(peer: Peer) -> None:
        for _ in range(2):
            sizes.append(len(await peer.request()))
            await peer.send(response(b"ok"))

    async with story(slow) as it:
        responses = [await it.sender.send(b"x" * 1_000_000) for _ in range(2)]

        assert [received.sent for received in responses] == [True, True]
        assert it.pool.statistics().opened == 1
    assert all(size > 1_000_000 for size in sizes)


async def test_a_broken_pipe_without_a_response_was_not_sent(autojump_clock: MockClock) -> None:
    async def hangs_up(peer: Peer) -> None:
        await peer.stream.receive_some()
        peer.stream.close()

    async with story(hangs_up) as it:
        with pytest.raises(ConnectionLost) as lost:
            await it.sender.send(b"x" * 1_000_000)

    assert (lost.value.sent, lost.value.received) == (False, 0)


async def test_the_servers_keep_alive_terms_are_honored(autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi", b"keep-alive: timeout=5"))) as it:
        await it.sender.send(b"{}")
        await trio.sleep(3.5)
        await it.sender.send(b"{}")
        assert it.pool.statistics().opened == 1
        await trio.sleep(4.5)
        await it.sender.send(b"{}")

        assert it.pool.statistics().opened == 2, "one second is left unused"


async def test_the_last_request_that_a_server_allows_closes(autojump_clock: MockClock) -> None:
    async with story(always(response(b"hi", b"keep-alive: timeout=5, max=0"))) as it:
        await it.sender.send(b"{}")

        assert it.pool.statistics().idle == 0
