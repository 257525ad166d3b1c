"""Limits as a client sees them: headers, rejections, changes over time."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from headrace.simulator import BucketLimit, ProviderLimits, Ramp, Simulator

from ._client import CHAT, MESSAGES, STEADY, Response, ask, open_client, request, steady

pytestmark = pytest.mark.trio


def limits(**changes: BucketLimit) -> ProviderLimits:
    return attrs.evolve(ProviderLimits(), **changes)


TWENTY_PER_SECOND = limits(requests=BucketLimit(per_minute=1_200, burst=20))


async def statuses(app: Simulator, count: int, path: str = MESSAGES) -> list[int]:
    """Send ``count`` different requests at once."""
    received: list[int] = []

    async def one(index: int) -> None:
        received.append((await ask(app, request(f"{index}"), path)).status)

    async with trio.open_nursery() as nursery:
        for index in range(count):
            nursery.start_soon(one, index)
    return sorted(received)


async def test_headers_report_limit_remaining_and_the_time_of_full_refill(
    autojump_clock: MockClock,
) -> None:
    app = steady(
        limits=ProviderLimits(
            requests=BucketLimit(per_minute=6, burst=5),
            input=BucketLimit(per_minute=60, burst=10_600),
            output=BucketLimit(per_minute=6_000, burst=40_040),
        )
    )

    response = await ask(app, request())

    reported = {
        name.removeprefix("anthropic-ratelimit-"): value
        for name, value in response.headers.items()
        if name.startswith("anthropic-ratelimit-")
    }
    assert reported == {
        "requests-limit": "6",
        "requests-remaining": "4",
        "requests-reset": "2026-01-01T00:00:10Z",  # one request is back after 10 s
        "input-tokens-limit": "60",
        "input-tokens-remaining": "11000",  # 10,594.9, to the nearest 1000
        "input-tokens-reset": "2026-01-01T00:00:06Z",  # 6 tokens at 1 per second, since the start
        "output-tokens-limit": "6000",
        "output-tokens-remaining": "40000",
        "output-tokens-reset": "2026-01-01T00:00:02Z",  # 40 tokens at 100 per second, just spent
        "tokens-limit": "6000",
        "tokens-remaining": "40000",
        "tokens-reset": "2026-01-01T00:00:02Z",
    }


async def test_chat_headers_report_durations_and_max_tokens_is_reserved(autojump_clock: MockClock) -> None:
    app = steady(
        limits=limits(
            requests=BucketLimit(per_minute=60, burst=50), input=BucketLimit(per_minute=60, burst=10_000)
        )
    )

    response = await ask(app, request(max_tokens=1_000), CHAT)

    reported = {name: value for name, value in response.headers.items() if name.startswith("x-ratelimit-")}
    assert reported == {
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "49",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-tokens": "60",
        "x-ratelimit-remaining-tokens": "9000",
        "x-ratelimit-reset-tokens": "16m39.1s",
    }


async def test_a_burst_passes_up_to_the_depth_and_the_rest_is_rejected(autojump_clock: MockClock) -> None:
    app = steady(limits=TWENTY_PER_SECOND)

    assert await statuses(app, 30) == [200] * 20 + [429] * 10
    await trio.sleep(0.5)
    assert (await statuses(app, 30)).count(200) == 20  # 0.9 s and 0.5 s have passed: full again


async def test_a_rejection_names_the_limit_and_when_to_retry(autojump_clock: MockClock) -> None:
    app = steady(limits=limits(requests=BucketLimit(per_minute=6, burst=1)))

    await ask(app, request("first"))
    refused = await ask(app, request("second"))

    assert refused.status == 429
    assert refused.headers["retry-after"] == "10"  # 9.1 s, rounded up
    assert refused.headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert refused.json()["error"] == {
        "type": "rate_limit_error",
        "message": "This request would exceed your rate limit of 6 requests per minute.",
    }


async def test_failed_chat_requests_count_and_failed_messages_do_not(autojump_clock: MockClock) -> None:
    app = steady(limits=limits(requests=BucketLimit(per_minute=60, burst=1)))
    await ask(app, request())
    for path, expected in ((CHAT, 429), (MESSAGES, 200)):
        await ask(app, request(), path)  # 429: about 0.9 of a request is available
        await trio.sleep(0.5)
        assert (await ask(app, request("again"), path)).status == expected
        await trio.sleep(0.5)


async def test_input_tokens_are_estimated_first_and_corrected_at_the_first_token(
    autojump_clock: MockClock,
) -> None:
    app = steady(limits=limits(input=BucketLimit(per_minute=60, burst=45)))
    body = request("x")  # about 25 tokens by its characters, 1 in truth

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, app, body)
        await trio.sleep(0.25)
        early = await ask(app, body)
        await trio.sleep(0.5)
        late = await ask(app, body)

    assert [early.status, late.status] == [429, 200]


async def test_output_is_debited_as_it_is_generated_and_gates_only_admission(
    autojump_clock: MockClock,
) -> None:
    app = steady(limits=limits(output=BucketLimit(per_minute=60, burst=20)))

    first = await ask(app, request(stream=True))
    second = await ask(app, request())

    assert first.complete
    assert first.events()[-1][0] == "message_stop"
    assert second.status == 429
    assert second.headers["retry-after"] == "21"  # from about 20 - 40 + 0.4 until one is available


async def test_models_with_their_own_limits_do_not_share(autojump_clock: MockClock) -> None:
    scarce = limits(requests=BucketLimit(per_minute=6, burst=1))
    app = steady(limits=scarce, model_limits={"claude-haiku-5-5": scarce})

    shared = [await ask(app, request(model=model)) for model in ("claude-opus-5-5", "claude-sonnet-5-5")]
    own = await ask(app, request(model="claude-haiku-5-5"))

    assert [response.status for response in (*shared, own)] == [200, 429, 200]


async def test_limits_change_when_the_schedule_says(autojump_clock: MockClock) -> None:
    slow = attrs.evolve(STEADY, limits=limits(requests=BucketLimit(per_minute=300, burst=5)))
    app = steady(limits=TWENTY_PER_SECOND, schedule=((10.0, slow),))

    before = await statuses(app, 30)
    await trio.sleep_until(10)
    after = await statuses(app, 30)

    assert (before.count(200), after.count(200)) == (20, 5)


async def test_dead_for_a_while_then_back(autojump_clock: MockClock) -> None:
    app = steady(schedule=((10.0, attrs.evolve(STEADY, dead=True)), (70.0, STEADY)))
    times = (0.0, 10.0, 69.0, 70.0)

    answers: list[Response] = []
    for time in times:
        await trio.sleep_until(time)
        answers.append(await ask(app, request()))

    assert [answer.status for answer in answers] == [200, 0, 0, 200]


async def test_the_spend_cap_is_a_429_without_retry_after(autojump_clock: MockClock) -> None:
    app = steady(spend_cap=2)

    answers = [await ask(app, request(f"{index}")) for index in range(4)]
    chat = await ask(app, request(), CHAT)

    assert [answer.status for answer in answers] == [200, 200, 429, 429]
    assert answers[2].json()["error"]["details"]["error_code"] == "enforced_spend_limit_reached"
    assert "retry-after" not in answers[2].headers
    assert chat.json()["error"]["code"] == "insufficient_quota"


async def test_concurrent_requests_are_bounded(autojump_clock: MockClock) -> None:
    app = steady(concurrency=2)

    assert await statuses(app, 5) == [200, 200, 429, 429, 429]
    assert await statuses(app, 2) == [200, 200]


async def test_traffic_that_rises_too_fast_is_rejected(autojump_clock: MockClock) -> None:
    app = steady(ramp=Ramp(floor=3.0, factor=2.0))

    jump = await statuses(app, 6)
    refused = next(record for record in app.log.records if record.status == 429)

    assert jump.count(429) == 3
    assert refused.path == MESSAGES
    await trio.sleep(10)
    answer = [await ask(app, request(f"{index}")) for index in range(2)][-1]
    assert answer.status == 200


async def test_another_client_of_the_key_halves_the_throughput(autojump_clock: MockClock) -> None:
    app = steady(limits=limits(requests=BucketLimit(per_minute=600, burst=1, others=0.5)), ttft=0.0)
    granted = 0

    async with open_client(app) as client:
        while trio.current_time() < 20:
            answer = await client.post(MESSAGES, request(f"{trio.current_time()}", max_tokens=1))
            granted += answer.status == 200
            await trio.sleep(0.05)

    assert 90 <= granted <= 101


async def test_rate_limit_headers_can_be_turned_off(autojump_clock: MockClock) -> None:
    scarce = limits(requests=BucketLimit(per_minute=6, burst=1))
    app = steady(limits=scarce, rate_limit_headers=False, retry_after=False)

    answers = [await ask(app, request()), await ask(app, request())]

    assert [answer.status for answer in answers] == [200, 429]
    assert not any(
        "ratelimit" in name or name == "retry-after" for answer in answers for name in answer.headers
    )


async def test_every_key_can_be_rejected() -> None:
    assert (await ask(steady(reject_keys=True), request())).status == 401
