"""A budget belongs to an output: all runs that write to it count, however they ended."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from headrace._exceptions import RunRefused
from headrace.dialects import read_usage
from headrace.output.cost import cost_of, recorded_cost
from headrace.output.paths import output_paths
from headrace.output.sidecar import read_sidecar, write_sidecar
from headrace.policy.options import RequestOptions
from headrace.policy.prices import Price, PriceList
from headrace.policy.stop import ExitCode
from headrace.simulator import Simulator
from tests.runner import program
from tests.runner.disk import SimulatedDisk

PRICE = Price(input=3e-6, output=15e-6, cache_read=3e-7, cache_creation=3.75e-6)
PRICES = PriceList(as_of="2025-01-01", currency="USD", models={"m": PRICE})
SIDECAR = Path("/out/results.jsonl.headrace")


def spent_at(server: Simulator) -> float:
    """The cost of what a server has generated."""
    return sum(
        record.input_tokens * PRICE.input + record.output_tokens * PRICE.output
        for record in server.log.records
    )


def new_disk() -> SimulatedDisk:
    return program.new_disk(program.jobs(60, max_tokens=100))


@pytest.mark.trio
async def test_running_the_same_command_again_does_not_spend_the_budget_twice(autojump_clock: object) -> None:
    disk, server, shown = new_disk(), program.simulator(output_tokens=(40, 40)), program.Shown()
    first = await program.run(disk, server, max_cost=0.02, prices=PRICES)
    spent = spent_at(server)
    second = await program.run(disk, server, max_cost=0.02, prices=PRICES, shown=shown)

    assert (first.exit_code, second.exit_code) == (ExitCode.STOPPED, ExitCode.STOPPED)
    assert 0.015 < spent <= 0.02
    assert spent_at(server) <= 0.02
    assert first.run.cost == pytest.approx(spent)
    assert second.reason is not None
    assert "Raise --max-cost" in second.reason.message
    [notice] = [notice for notice in shown.notices if "of --max-cost 0.02" in notice]
    assert notice.startswith("earlier runs have spent 0.01")


@pytest.mark.trio
async def test_with_a_larger_budget_it_resumes_and_pays_for_nothing_twice(autojump_clock: object) -> None:
    disk, server = new_disk(), program.simulator(output_tokens=(40, 40))
    first = await program.run(disk, server, max_cost=0.02, prices=PRICES)
    second = await program.run(disk, server, max_cost=1.0, prices=PRICES)

    assert (second.exit_code, second.results) == (ExitCode.ALL_RESULTS, 60)
    assert second.done_before == first.results
    assert program.requests(server) == 60
    assert second.run.cost == pytest.approx(spent_at(server))


@pytest.mark.trio
async def test_a_run_that_could_not_save_its_sum_counts_by_its_records(autojump_clock: object) -> None:
    disk, server = new_disk(), program.simulator(output_tokens=(40, 40))
    await program.run(disk, server, max_cost=0.02, prices=PRICES)
    kept = read_sidecar(disk.content(SIDECAR))
    disk.put(SIDECAR, write_sidecar(msgspec.structs.replace(kept, spent=0.0)))
    await program.run(disk, server, max_cost=0.02, prices=PRICES)

    assert kept.spent == pytest.approx(spent_at(server))
    assert spent_at(server) <= 0.02


@pytest.mark.trio
async def test_a_restart_starts_a_new_budget(autojump_clock: object) -> None:
    disk, server = new_disk(), program.simulator(output_tokens=(40, 40))
    first = await program.run(disk, server, max_cost=0.02, prices=PRICES)
    second = await program.run(disk, server, max_cost=0.02, prices=PRICES, restart=True)

    assert (second.done_before, second.results) == (0, first.results)


@pytest.mark.trio
async def test_a_model_without_a_price_is_rejected_before_anything_is_changed(autojump_clock: object) -> None:
    disk, server = new_disk(), program.simulator()
    with pytest.raises(RunRefused, match="no price for model 'other'"):
        await program.run(
            disk, server, max_cost=1.0, prices=PRICES, request=RequestOptions(model="other"), restart=True
        )

    assert SIDECAR not in disk.platters.files


@pytest.mark.trio
async def test_records_of_both_dialects_show_what_they_cost(autojump_clock: object) -> None:
    disk, server = new_disk(), program.simulator(output_tokens=(40, 40))
    await program.run(disk, server, request=RequestOptions())
    chat = msgspec.json.encode(
        {
            "custom_id": "a",
            "response": {
                "status_code": 200,
                "body": {
                    "model": "m-2025-01-31",
                    "choices": [{"finish_reason": "stop"}],
                    "usage": {
                        "prompt_tokens": 5,
                        "completion_tokens": 7,
                        "prompt_tokens_details": {"cached_tokens": 2},
                    },
                },
            },
        }
    )

    cost = recorded_cost(disk, output_paths(program.OUTPUT), PRICES)

    assert cost == pytest.approx(spent_at(server))
    assert cost_of(read_usage(chat), PRICES) == pytest.approx(3 * 3e-6 + 7 * 15e-6 + 2 * 3e-7)


@pytest.mark.parametrize(
    ("line", "cost"),
    [
        (b'{"custom_id":"a","result":{"type":"errored"},"headrace":{"maybe_billed_tokens":[0,100]}}', 1.5e-3),
        (b'{"custom_id":"a","result":{"type":"errored"},"headrace":{"maybe_billed_tokens":[0,null]}}', 0.0),
        (b'{"custom_id":"a","error":"no"}', 0.0),
        (b"no record", 0.0),
    ],
)
def test_a_failure_costs_what_may_have_been_billed(line: bytes, cost: float) -> None:
    assert cost_of(read_usage(line), PRICES) == pytest.approx(cost)
