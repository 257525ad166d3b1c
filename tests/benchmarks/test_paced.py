"""The ideal times, the check of answers, and the table of the pacing benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from benchmarks.pacing.measured import Paced, table
from benchmarks.pacing.plot import plot
from benchmarks.pacing.sockets import check_answers, duration
from benchmarks.pacing.virtual import NAMES, SCENARIOS, compare
from headrace.simulator import LogRecord
from tests.scenarios.catalogue import LATENCY
from tests.scenarios.ideal import flow_time, stepped_time
from tests.scenarios.scenario import per_second


def paced(**changes: Any) -> Paced:
    usual: dict[str, Any] = {
        "scenario": "20/s",
        "name": "headrace",
        "seed": 0,
        "jobs": 400,
        "possible": 400,
        "finished": 400,
        "seconds": 20.0,
        "ideal": 19.0,
        "refused": 2,
        "sent": 402,
    }
    return Paced(**usual | changes)


@pytest.mark.parametrize(("jobs", "seconds"), [(10, 0.0), (20, 0.0), (220, 10.0)])
def test_what_is_in_the_bucket_takes_no_time(jobs: int, seconds: float) -> None:
    assert flow_time(per_second(20), jobs) == seconds


def test_others_take_their_share_of_the_inflow() -> None:
    assert flow_time(per_second(20, others=0.5), 220) == 20.0


@pytest.mark.parametrize(("jobs", "seconds"), [(120, 5.0), (245, 15.0), (310, 21.0)])
def test_a_rate_that_changes(jobs: int, seconds: float) -> None:
    assert stepped_time({0: 20, 10: 5, 20: 40}, jobs, depth=20) == seconds


def test_a_table_has_a_row_for_each_scenario_and_a_column_for_each_name() -> None:
    lost = paced(name="AIMD", finished=300, refused=4_000, sent=4_300, wrong=1)
    other = paced(
        scenario="no headers", possible=1_200, jobs=1_200, finished=1_200, sent=1_200, refused=0, stopped=True
    )

    assert table([paced(), lost, other]).splitlines() == [
        "| scenario (jobs, ideal) | headrace | AIMD |",
        "|---|---|---|",
        "| 20/s (400, 19 s) | 1.05x, 0.5, 1.00 | **300 of 400**, **1 wrong**, 1,000, 10.75 |",
        "| no headers (1,200, 19 s) | 1.05x, 0.0, 1.00, stopped | - |",
    ]


def test_jobs_that_were_lost_are_hollow_dots() -> None:
    lost = paced(name="AIMD", finished=300)

    assert plot([paced(), lost]).count('fill="#fff" stroke="#d1495b"') == 2
    assert plot([paced(), lost]).count('fill="#fff" stroke="#0b6e4f"') == 0


def record(name: str, text: str) -> bytes:
    message = {"id": "", "content": [{"type": "text", "text": text}]}
    return (
        msgspec.json.encode({"custom_id": name, "result": {"type": "succeeded", "message": message}}) + b"\n"
    )


def test_an_answer_counts_once_and_for_its_own_job(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"
    output.write_bytes(
        record("a", "digest-a and more")
        + record("a", "digest-a and more")
        + record("b", "digest-a and more")
        + record("unknown", "digest-a")
        + b"torn\n"
    )
    checked = check_answers(output, {"a": "digest-a", "b": "digest-b"})

    assert (checked.right, checked.wrong) == (1, 4)


def test_without_an_output_nothing_was_answered(tmp_path: Path) -> None:
    checked = check_answers(tmp_path / "none.jsonl", {"a": "digest-a"})

    assert (checked.right, checked.wrong) == (0, 0)


def request(time: float, status: int) -> LogRecord:
    return LogRecord(time=time, method="POST", path="/v1/messages", status=status, finished=True)


def test_a_run_lasts_from_its_first_request_to_its_last_answer() -> None:
    requests = [request(100.0, 429), request(101.0, 200), request(102.5, 200), request(110.0, 429)]

    assert duration(requests) == pytest.approx(2.5 + LATENCY)
    assert duration(requests[:1]) == duration([]) == 0.0


def test_the_same_seed_gives_the_same_figures() -> None:
    scenario = next(iter(SCENARIOS))
    first, second = (list(compare([scenario], NAMES, seed=7)) for _ in range(2))

    assert first == second
    assert [one.name for one in first] == list(NAMES)
    assert (first[0].finished, first[0].jobs) == (400, 400)
