"""What else pacing promises for a whole run: budgets, spend caps, standstill, several models (P18, P19)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import attrs
import pytest
import trio

from headrace.pacing import Pacing
from headrace.policy.budget import Budget
from headrace.policy.circuit_breaker import MIN_PROBE_INTERVAL, PROBE_INTERVAL_SHARE
from headrace.policy.options import RequestOptions
from headrace.policy.prices import Price, PriceList
from headrace.policy.stop import ExitCode
from headrace.simulator import FaultKind, Profile, Simulator
from tests.long import long_if
from tests.runner import program
from tests.runner.pacing.between import UsedUp
from tests.scenarios.catalogue import outage, profile
from tests.scenarios.engine import play
from tests.scenarios.ideal import flow_time
from tests.scenarios.scenario import EPOCH, Scenario, limits, per_second

PRICE = Price(input=3e-6, output=15e-6, cache_read=3e-7, cache_creation=3.75e-6)
FAULTS: dict[FaultKind, float] = {"529": 0.1, "500": 0.1, "reset": 0.05, "cut": 0.05}
PRICES = PriceList(as_of="2025-01-01", currency="USD", models={"m": PRICE})


@pytest.mark.parametrize("block", long_if(lambda block: block > 1, range(10)))
def test_the_cost_never_exceeds_the_budget(block: int) -> None:
    """Whatever fails, in 200 seeds: what the server has generated costs no more than the budget."""
    for seed in range(20 * block, 20 * block + 20):
        scenario = Scenario(
            profile=Profile(output_tokens=(1, 120), faults=FAULTS),
            jobs=40,
            ideal=0,
            max_tokens=100,
            seed=seed,
            budget=Budget(limit=0.03, prices=PRICES),
        )
        report = play(scenario)
        spent = sum(
            record.input_tokens * PRICE.input + record.output_tokens * PRICE.output
            for record in report.log.records
        )

        assert spent <= 0.03
        assert report.outcome.reasons[0].exit_code == ExitCode.STOPPED
        assert report.finished >= 10


def test_a_large_enough_budget_stops_nothing() -> None:
    report = play(
        Scenario(profile=Profile(), jobs=40, ideal=0, max_tokens=100, budget=Budget(limit=1, prices=PRICES))
    )

    assert (report.finished, report.outcome.reasons) == (40, [])
    assert report.outcome.snapshot.cost is not None
    assert 0 < report.outcome.snapshot.cost < 0.1


def test_a_model_without_a_price_is_not_sent_under_a_budget() -> None:
    scenario = Scenario(profile=Profile(), jobs=3, ideal=0, budget=Budget(limit=1, prices=PRICES))
    report = play(attrs.evolve(scenario, models=("other",)))

    assert report.log.statuses.total() == 0
    assert "no price for model 'other'" in report.outcome.reasons[0].message


def test_after_a_spend_cap_nothing_is_sent_but_what_was_in_flight() -> None:
    scenario = Scenario(
        profile=Profile(limits=limits(requests=per_second(20)), spend_cap=100), jobs=400, ideal=0
    )
    report = play(scenario)

    assert report.finished == 100
    assert report.refused <= 20
    assert report.outcome.reasons[0].exit_code == ExitCode.STOPPED


def test_waiting_jobs_of_one_model_do_not_delay_the_others() -> None:
    """Nine of ten jobs are of a model at its limit. The others have room, and run at their full rate."""
    slow, fast = per_second(2), per_second(50)
    scenario = Scenario(
        profile=Profile(limits=limits(requests=slow), model_limits={"fast": limits(requests=fast)}),
        jobs=1_000,
        ideal=0,
        models=("slow",) * 9 + ("fast",),
    )
    report = play(scenario)
    times = [record.time for record in report.log.records if record.model == "fast"]

    assert len(times) == 100
    assert times[-1] - times[0] <= 1.1 * flow_time(fast, 100) + 2


@pytest.mark.trio
async def test_jobs_that_wait_for_a_retry_after_occupy_nothing_that_others_need(
    autojump_clock: object,
) -> None:
    """Nine of ten jobs wait until 60 s. The others run at their full rate, eight at a time.

    Nothing else is in flight: the run and the server agree on the number in flight.
    """
    lines = program.jobs(1_000)
    mixed = [
        line.replace(b'"model": "m"', b'"model": "%b"' % (b"fast" if number % 10 == 9 else b"slow"))
        for number, line in enumerate(lines.splitlines(keepends=True))
    ]
    own = limits(requests=per_second(20))
    simulator = program.simulator(model_limits={"fast": own, "slow": own})
    server = UsedUp("slow", 60.0, simulator)
    seen: list[tuple[float, int, int]] = []
    shown = program.Shown()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_look, seen, server, shown)
        summary = await program.run(program.new_disk(b"".join(mixed)), server, shown=shown)
        nursery.cancel_scope.cancel()
    fast = [
        record.time - EPOCH
        for record in simulator.log.records
        if record.model == "fast" and record.status == 200
    ]
    assert summary.results == 1_000
    assert len(fast) == 100
    assert fast[-1] - fast[0] <= 1.1 * flow_time(per_second(20), 100) + 1
    assert server.refused <= 10
    assert all(ours == theirs == 0 for now, ours, theirs in seen if 10 < now < 60)


async def _look(seen: list[tuple[float, int, int]], server: UsedUp, shown: program.Shown) -> None:
    while True:
        await trio.sleep(0.5)
        if shown.snapshots:
            seen.append((trio.current_time(), shown.snapshots[-1].in_flight, server.in_flight))


@pytest.mark.parametrize("jobs", [20, 1_000])
def test_a_dead_server_gets_little_more_than_one_request_per_job_before_the_circuit_breaker_opens(
    jobs: int,
) -> None:
    """At most 1.1 before the circuit breaker opens, and then one probe at a time until the run ends."""
    report = play(Scenario(profile=Profile(dead=True), jobs=jobs, ideal=0, max_wait=120))
    times = [record.time - EPOCH for record in report.log.records]
    opened = next(then for now, then in pairwise(times) if then - now >= MIN_PROBE_INTERVAL)
    probes = [time for time in times if time >= opened]

    assert len(times) - len(probes) <= 1.1 * jobs
    assert len(times) <= 100
    assert min(then - now for now, then in pairwise(probes)) >= MIN_PROBE_INTERVAL
    assert report.finished == report.outcome.snapshot.failed == 0
    assert report.outcome.reasons[0].exit_code == ExitCode.STOPPED


@pytest.mark.parametrize("dead_for", [30.0, 60.0, 200.0])
def test_the_next_probe_notices_that_a_server_has_recovered(dead_for: float) -> None:
    report = play(outage(600, until=dead_for))
    answered = next(record.time - EPOCH for record in report.log.records if record.status == 200)
    sent = report.log.statuses.total() - report.finished

    assert answered - dead_for <= max(MIN_PROBE_INTERVAL, PROBE_INTERVAL_SHARE * dead_for)
    assert report.finished == 600
    assert sent <= 85


def test_while_half_of_all_attempts_fail_no_retry_waits_for_the_quota() -> None:
    """0.11 s and 20 per second, twice as many requests as jobs: little more than 20 s."""
    server = profile(per_second(20), faults={"500": 0.5})
    report = play(Scenario(profile=server, jobs=200, ideal=0))

    assert report.finished >= 190
    assert report.seconds <= 40


def test_with_a_fixed_concurrency_no_more_jobs_are_ever_in_flight() -> None:
    report = play(Scenario(profile=Profile(), jobs=200, ideal=0, pacing=lambda: Pacing.fixed(3)))

    assert report.finished == 200
    assert report.pacing.concurrency.cap == 3


def test_levels_survive_a_run_and_refill_in_between() -> None:
    """The next run with the same key starts with what is left, not with a full bucket."""
    first = play(Scenario(profile=Profile(limits=limits(requests=per_second(20))), jobs=100, ideal=0))
    kept = first.pacing.levels(first.seconds, wall=1_000.0)
    soon, late = Pacing.fixed(8), Pacing.fixed(8)
    soon.restore(kept, 0.0, wall=1_000.1)
    late.restore(kept, 0.0, wall=1_010.0)

    assert soon.by_model["m"].gates.server["requests"].bucket.level < 8
    assert late.by_model["m"].gates.server["requests"].bucket.level > 15


def test_malformed_levels_are_ignored() -> None:
    pacing = Pacing.fixed(8)
    malformed: list[dict[str, object]] = [
        {},
        {"at": "x", "models": {}},
        {"at": 1, "models": {"m": {"requests": [1, "x"]}}},
    ]
    for levels in malformed:
        pacing.restore(levels, 0.0, wall=2.0)

    assert all(not limits.gates.server for limits in pacing.by_model.values())


@pytest.mark.trio
async def test_a_prefix_for_a_whole_file_is_written_to_the_cache_once(autojump_clock: object) -> None:
    disk = program.new_disk(b"".join(b'{"n":%d}\n' % number for number in range(1_000)))
    server = Simulator(Profile(), epoch=program.EPOCH)
    summary = await program.run(
        disk,
        server,
        concurrency="auto",
        cache_prefix=True,
        request=RequestOptions(model="m", prompt="{n}?", system="s" * 8_000, cache_prefix=True),
    )

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 1_000)
    assert server.log.totals["cache_creations"] == 1
    assert trio.current_time() < 30


@pytest.mark.trio
async def test_a_streamed_response_lets_the_others_follow_when_it_begins(autojump_clock: object) -> None:
    """The first token takes a second and the whole response twenty: 22 in total, not 41."""
    disk = program.new_disk(b"".join(b'{"n":%d}\n' % number for number in range(50)))
    server = program.simulator(ttft=1.0, ttft_jitter=0.0, tokens_per_second=10, output_tokens=(200, 200))
    request = RequestOptions(
        model="m", prompt="{n}?", system="s" * 8_000, cache_prefix=True, stream=True, max_tokens=200
    )
    summary = await program.run(disk, server, concurrency=64, cache_prefix=True, request=request)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 50)
    assert server.log.totals["cache_creations"] == 1
    assert 22 <= trio.current_time() < 24


@pytest.mark.trio
async def test_if_the_job_that_warms_the_cache_fails_another_one_does(autojump_clock: object) -> None:
    """A dead server, then one that works: the others wait for the first response all the same."""
    disk = program.new_disk(b"".join(b'{"n":%d}\n' % number for number in range(50)))
    dead, alive = Profile(dead=True), Profile()
    server = Simulator(dead, schedule=((3.0, alive),), epoch=program.EPOCH)
    request = RequestOptions(model="m", prompt="{n}?", system="s" * 8_000, cache_prefix=True)
    summary = await program.run(disk, server, concurrency=64, cache_prefix=True, request=request)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 50)
    assert server.log.totals["cache_creations"] == 1


@pytest.mark.trio
async def test_a_rerun_after_a_spend_cap_completes_and_pays_for_nothing_twice(autojump_clock: object) -> None:
    disk = program.new_disk(program.jobs(60))
    capped = program.simulator(spend_cap=25)
    first = await program.run(disk, capped, concurrency="auto")
    lifted = program.simulator()
    second = await program.run(disk, lifted, concurrency="auto")

    assert (first.exit_code, first.results) == (ExitCode.STOPPED, 25)
    assert (second.exit_code, second.results) == (ExitCode.ALL_RESULTS, 60)
    assert program.requests(lifted) == 35
    assert Path(second.output).name == "results.jsonl"
