"""Prompt caching: what is created, what is read, and when it becomes readable."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from headrace.simulator import BucketLimit, ProviderLimits

from ._client import Response, ask, request, steady

pytestmark = pytest.mark.trio

LONG = "The miller's rules. " * 300  # 1,500 tokens
MARKED = [{"type": "text", "text": LONG, "cache_control": {"type": "ephemeral"}}]


def input_usage(response: Response) -> tuple[int, int, int]:
    usage = response.json()["usage"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens")
    return tuple(usage[name] for name in names)  # pyright: ignore[reportReturnType] - three names


async def test_a_prefix_is_created_once_then_read(autojump_clock: MockClock) -> None:
    app = steady()

    first = await ask(app, request("Where?", system=MARKED))
    second = await ask(app, request("When then?", system=MARKED))

    assert input_usage(first) == (2, 1_500, 0)
    assert input_usage(second) == (3, 0, 1_500)
    assert app.log.totals["cache_creations"] == 1


async def test_an_entry_exists_only_from_the_first_byte_on(autojump_clock: MockClock) -> None:
    app = steady()

    async with trio.open_nursery() as nursery:
        for index in range(5):
            nursery.start_soon(ask, app, request(f"{index}", system=MARKED))
        await trio.sleep(0.51)
        late = await ask(app, request("late", system=MARKED))

    assert app.log.totals["cache_creations"] == 5
    assert input_usage(late)[2] == 1_500


async def test_a_longer_prefix_creates_only_its_rest(autojump_clock: MockClock) -> None:
    app = steady()
    turn = {"type": "text", "text": "x" * 4_000, "cache_control": {"type": "ephemeral"}}
    longer = request(system=MARKED, messages=[{"role": "user", "content": [turn]}])

    await ask(app, request(system=MARKED))
    response = await ask(app, longer)

    assert input_usage(response) == (0, 1_000, 1_500)


async def test_unused_entries_expire_and_short_prefixes_are_never_cached(autojump_clock: MockClock) -> None:
    app = steady(cache_ttl=60.0)
    short = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]

    await ask(app, request(system=MARKED))
    await trio.sleep(61)
    again = await ask(app, request(system=MARKED))
    brief = await ask(app, request(system=short))

    assert input_usage(again)[1:] == (1_500, 0)
    assert input_usage(brief)[1:] == (0, 0)


async def test_only_created_and_uncached_input_counts_against_the_limit(autojump_clock: MockClock) -> None:
    app = steady(limits=ProviderLimits(input=BucketLimit(per_minute=60, burst=10_000)))

    await ask(app, request("Where?", system=MARKED))  # 2 fresh, 1,500 created, 0.9 s of refill
    await ask(app, request("When then?", system=MARKED))  # 3 fresh, 1,500 read, 0.9 s of refill

    profile = app.service.profile_at(trio.current_time())
    level = app.service.quota(profile, "any", trio.current_time()).input.refill(trio.current_time())
    assert level == pytest.approx(10_000 - 1_505 + 1.8)
