"""The main job from file to file: everything real but the socket, the disk and the clock."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from headrace._exceptions import RunRefused, StorageFailed
from headrace.actors.messages import Stop
from headrace.input.identity import digest
from headrace.policy.options import RequestOptions
from headrace.policy.stop import ExitCode
from headrace.run.summary import as_text
from headrace.simulator import BucketLimit, ProviderLimits
from headrace.simulator._asgi import Receive, Scope, Send
from tests.runner.disk import SimulatedDisk
from tests.runner.program import (
    ERRORS,
    INPUT,
    INTERRUPT,
    KEY,
    OUTPUT,
    RESCUE_FILE,
    Shown,
    ids,
    jobs,
    new_disk,
    records,
    requests,
    run,
    simulator,
)

pytestmark = pytest.mark.trio


async def test_every_job_gets_one_record_that_belongs_to_its_line(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(300)), simulator()

    summary = await run(disk, server)

    lines = bytes(disk.content(INPUT)).splitlines()
    made = records(disk)
    assert (summary.exit_code, summary.results, summary.input) == (ExitCode.ALL_RESULTS, 300, 300)
    assert sorted(record["custom_id"] for record in made) == sorted(f"job-{n}" for n in range(300))
    for record in made:
        note = record["headrace"]
        assert note["digest"] == digest(lines[int(note["line"]) - 1])
        assert record["custom_id"] == f"job-{note['line'] - 1}"
        assert note["attempts"] == 1
    assert requests(server) == 300


async def test_the_same_command_again_sends_only_what_has_no_record(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(100)), simulator()
    await run(disk, server)
    kept = disk.content(OUTPUT).splitlines(keepends=True)[10:]
    disk.close()

    again = await run(disk, server)
    assert (again.results, again.done_before, requests(server)) == (100, 100, 100)

    disk.close()
    disk.put(OUTPUT, b"".join(kept))
    shown = Shown()
    rest = await run(disk, server, shown=shown)

    assert (rest.exit_code, rest.done_before, requests(server)) == (0, 90, 110)
    assert shown.notices == ["90 done, 10 to send"]
    assert len(set(ids(disk))) == len(ids(disk)) == 100


async def test_no_more_is_in_flight_than_the_concurrency_allows(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(60)), simulator(concurrency=5)

    summary = await run(disk, server, concurrency=5)

    assert (summary.results, summary.run.rate_limited) == (60, 0)


async def test_a_job_that_waits_holds_no_slot(autojump_clock: MockClock) -> None:
    """Half of all requests fail and back off for seconds; with one slot the others go on meanwhile."""
    disk, server = new_disk(jobs(40)), simulator(faults={"500": 0.5}, tokens_per_second=1e9, ttft=0.0)

    summary = await run(disk, server, concurrency=1, max_attempts=50)

    slept = sum(record["headrace"]["queued_s"] for record in records(disk))
    assert summary.results == 40
    assert summary.run.retries["server"] >= 10
    assert summary.run.elapsed_s < slept


async def test_a_rate_limit_slows_all_and_uses_up_no_attempt(autojump_clock: MockClock) -> None:
    limits = ProviderLimits(requests=BucketLimit(per_minute=1200, burst=20))
    disk, server = new_disk(jobs(200)), simulator(limits=limits)

    summary = await run(disk, server, concurrency=64, max_attempts=1)

    assert (summary.exit_code, summary.results, summary.failed) == (0, 200, 0)
    assert 9.0 <= summary.run.elapsed_s <= 12.0
    assert summary.run.attempts == 200 + summary.run.rate_limited == requests(server)


async def test_what_may_pass_is_tried_again_and_what_does_not_pass_is_recorded(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(3)), simulator(faults={"500": 1.0})

    summary = await run(disk, server, max_attempts=4)

    assert (summary.exit_code, summary.failed, requests(server)) == (ExitCode.SOME_FAILED, 3, 12)
    assert not records(disk)
    for record in records(disk, ERRORS):
        assert record["result"]["type"] == "errored"
        assert record["headrace"]["attempts"] == 4


@pytest.mark.parametrize("fault", ["reset", "cut", "garbage", "html", "500", "529", "hang"])
async def test_no_fault_of_the_server_loses_a_job_or_answers_another(
    fault: str, autojump_clock: MockClock
) -> None:
    disk, server = new_disk(jobs(120)), simulator(faults={fault: 0.3})

    summary = await run(disk, server, max_attempts=40, timeout=30.0, seed=4)

    assert (summary.exit_code, summary.results, summary.failed) == (0, 120, 0)
    answers = {record.digest for record in server.log.records if record.status == 200 and record.finished}
    for record in records(disk):
        text = record["result"]["message"]["content"][0]["text"]
        assert text.split()[0] in answers
    texts = [record["result"]["message"]["content"][0]["text"].split()[0] for record in records(disk)]
    assert len(set(texts)) == 120


async def test_an_attempt_ends_at_its_deadline_and_counts_as_maybe_billed(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(2)), simulator(faults={"hang": 1.0})

    summary = await run(disk, server, max_attempts=2, timeout=5.0)

    assert (summary.failed, summary.run.maybe_billed) == (2, 4)
    assert summary.run.failures == {"timeout": 2}
    most = 2 * one_attempt_at_most(disk)
    assert summary.run.maybe_billed_tokens == (0, 2 * most)
    for record in records(disk, ERRORS):
        assert record["headrace"]["maybe_billed"] == 2
        assert record["headrace"]["maybe_billed_tokens"] == [0, most]


def one_attempt_at_most(disk: SimulatedDisk) -> int:
    """Four bytes of the body a token, and all that the job allows; the bodies are equally long."""
    params = json.loads(disk.content(INPUT).splitlines()[0])["params"]
    return math.ceil(len(json.dumps(params)) / 4) + int(params["max_tokens"])


async def test_streamed_answers_are_recorded_whole_with_the_time_of_their_first_token(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(20, max_tokens=200)), simulator(ttft=0.5, ttft_jitter=0.0)
    plain = new_disk(jobs(20, max_tokens=200))

    summary = await run(disk, server, request=RequestOptions(stream=True))
    await run(plain, simulator())

    def messages(of: list[dict[str, Any]]) -> dict[str, Any]:
        return {record["custom_id"]: record["result"]["message"]["content"] for record in of}

    assert messages(records(disk)) == messages(records(plain))
    assert summary.run.ttft.p50 == pytest.approx(0.5, rel=0.05)
    assert all(
        0.5 <= record["headrace"]["ttft_s"] < record["headrace"]["latency_s"] for record in records(disk)
    )


async def test_refused_credentials_stop_the_run_and_leave_every_job_to_the_next(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(2000)), simulator(reject_keys=True)

    summary = await run(disk, server, concurrency=50)

    assert summary.exit_code == ExitCode.CREDENTIALS
    assert (summary.results, summary.failed, summary.not_started) == (0, 0, 2000)
    assert requests(server) <= 50


async def test_an_unknown_model_stops_the_run_after_the_first_answers(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(2000)), simulator(known_models=("another",))

    summary = await run(disk, server, concurrency=50)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.reason
    assert "model" in summary.reason.message
    assert requests(server) <= 50 + 100
    assert summary.failed + summary.not_started == 2000


async def test_a_spend_cap_stops_the_run_and_the_next_one_completes_it(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(100)), simulator(spend_cap=30)

    summary = await run(disk, server, concurrency=4)
    assert (summary.exit_code, summary.results, summary.not_started) == (ExitCode.STOPPED, 30, 70)
    assert requests(server) <= 30 + 4

    disk.close()
    lifted = simulator()
    summary = await run(disk, lifted)
    assert (summary.exit_code, summary.results, requests(lifted)) == (0, 100, 70)


async def test_a_standstill_ends_the_run(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(10)), simulator(faults={"429": 1.0}, retry_after=False)

    summary = await run(disk, server, max_wait=120.0)

    assert (summary.exit_code, summary.not_started) == (ExitCode.STOPPED, 10)
    assert 60 <= summary.run.elapsed_s <= 121


async def test_too_many_failures_end_the_run(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(500) + b"no job\n"), simulator(faults={"html": 0.5})

    summary = await run(disk, server, max_attempts=1, max_failures="10", concurrency=4)

    assert summary.exit_code == ExitCode.STOPPED
    assert 10 < summary.failed <= 10 + 4
    assert summary.results + summary.failed + summary.not_started == 501


async def test_the_first_signal_lets_what_is_in_flight_finish(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(500)), simulator(ttft=2.0, ttft_jitter=0.0)

    summary = await run(disk, server, stops=[(5.0, Stop(INTERRUPT))])

    assert summary.exit_code == ExitCode.INTERRUPTED
    assert summary.results == requests(server) == len(ids(disk))
    assert summary.results + summary.not_started == 500
    assert summary.run.maybe_billed == 0


async def test_the_second_signal_cuts_off_what_is_in_flight_and_says_how_much_that_was(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(500)), simulator(ttft=60.0, ttft_jitter=0.0)
    stops = [(100.0, Stop(INTERRUPT)), (101.0, Stop(INTERRUPT, at_once=True))]

    summary = await run(disk, server, stops=stops)

    assert summary.run.elapsed_s == pytest.approx(101.0, abs=0.5)
    assert (summary.results, summary.run.maybe_billed) == (8, 8)
    assert summary.run.maybe_billed_tokens == (0, 8 * one_attempt_at_most(disk))
    assert summary.results + summary.not_started == 500


async def test_the_grace_ends(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(20)), simulator(faults={"hang": 1.0})

    summary = await run(disk, server, stops=[(5.0, Stop(INTERRUPT))], grace=10.0)

    assert summary.run.elapsed_s == pytest.approx(15.0, abs=0.5)
    assert summary.not_started == 20


@attrs.define
class WatchedDisk(SimulatedDisk):
    """Counts how much of the job file is read."""

    bytes_read: int = 0

    def read(self, path: Path, offset: int, size: int) -> bytes:
        data = super().read(path, offset, size)
        self.bytes_read += len(data) if path == INPUT else 0
        return data


async def test_the_reader_reads_no_further_than_it_is_asked_to(autojump_clock: MockClock) -> None:
    lines = jobs(20_000)
    disk = WatchedDisk()
    disk.put(INPUT, lines)

    summary = await run(disk, simulator(faults={"hang": 1.0}), stops=[(5.0, Stop(INTERRUPT))], grace=1.0)

    assert summary.not_started == 20_000
    beyond_the_scan = disk.bytes_read - len(lines)
    assert beyond_the_scan <= 2 * 256 * 1024 < len(lines)


async def test_lines_that_are_no_jobs_are_recorded_by_number_and_stop_nobody(
    autojump_clock: MockClock,
) -> None:
    lines = (
        b"\xef\xbb\xbf" + jobs(2) + b'\n{"custom_id": 7}\n[]\r\n' + jobs(4).split(b"\n", 2)[2].rstrip(b"\n")
    )
    disk = new_disk(lines)

    summary = await run(disk, simulator())

    assert (summary.exit_code, summary.input, summary.results, summary.failed) == (1, 6, 4, 2)
    bad = records(disk, ERRORS)
    assert [(record["custom_id"], record["headrace"]["line"]) for record in bad] == [(None, 4), (None, 5)]
    assert summary.run.failures == {"bad_line": 2}


async def test_bad_lines_are_refused_before_anything_is_sent_if_that_is_wished(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(3) + b"[]\n"), simulator()

    with pytest.raises(RunRefused, match="line 4"):
        await run(disk, server, on_bad_line="refuse")

    assert requests(server) == 0


async def test_duplicate_ids_are_refused_with_both_lines_or_the_first_is_taken(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(3) + jobs(1, max_tokens=99)), simulator()

    with pytest.raises(RunRefused, match=r"1\b.*4\b"):
        await run(disk, server)
    assert requests(server) == 0

    disk.close()
    summary = await run(disk, server, on_duplicate="first")
    assert (summary.exit_code, requests(server)) == (0, 3)


async def test_a_changed_recipe_is_refused_named_and_nothing_is_sent(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(5)), simulator()
    await run(disk, server)
    disk.close()
    before = disk.content(OUTPUT)

    with pytest.raises(RunRefused, match="--model changed"):
        await run(disk, server, request=RequestOptions(model="other"))

    assert (requests(server), disk.content(OUTPUT)) == (5, before)
    disk.close()
    summary = await run(disk, server, request=RequestOptions(model="other"), on_change="rerun")
    assert (summary.exit_code, summary.results, requests(server)) == (0, 5, 10)


@attrs.define
class FillingDisk(SimulatedDisk):
    """Takes so many appends to OUTPUT; then it is full."""

    room: int = 0

    def append(self, path: Path, data: bytes) -> int:
        if path == OUTPUT and data:
            self.room -= 1
            if self.room < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().append(path, data)


async def test_a_full_disk_ends_the_run_and_the_answers_already_paid_for_are_kept(
    autojump_clock: MockClock,
) -> None:
    disk, server = FillingDisk(room=5), simulator()
    disk.put(INPUT, jobs(200))

    summary = await run(disk, server)

    rescued = records(disk, RESCUE_FILE)
    assert summary.exit_code == ExitCode.STORAGE
    assert 0 < len(rescued) <= 8
    assert requests(server) == summary.results + len(rescued)
    assert summary.results == len(ids(disk))
    assert any("cat /tmp" in notice for notice in summary.notices)

    rest = disk.restarted()
    rest.append(OUTPUT, disk.content(RESCUE_FILE))
    last = await run(rest, server)

    assert (last.exit_code, len(set(ids(rest))), requests(server)) == (0, 200, 200)


async def test_a_disk_that_takes_nothing_is_noticed_before_anything_is_sent(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(5)), simulator()
    disk.faults = dict.fromkeys(range(100), OSError(errno.EROFS, os.strerror(errno.EROFS)))

    with pytest.raises(StorageFailed, match="Read-only"):
        await run(disk, server)

    assert requests(server) == 0


async def test_a_second_run_on_the_same_output_is_refused_and_writes_nothing(
    autojump_clock: MockClock,
) -> None:
    disk, server = new_disk(jobs(50)), simulator()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run, disk, server)
        await trio.sleep(0.1)
        before = disk.content(OUTPUT)
        other = SimulatedDisk(disk.platters)
        with pytest.raises(RunRefused, match="is in use by process"):
            await run(other, server)
        assert (other.calls, disk.content(OUTPUT)) == (0, before)

    assert len(ids(disk)) == 50


async def test_a_kill_at_any_moment_pays_again_for_no_more_than_was_in_flight(
    autojump_clock: MockClock,
) -> None:
    """The process dies at each of many moments; the same command again completes the file."""
    for seed in range(25):
        disk, server = new_disk(jobs(60)), simulator(faults={"500": 0.1, "429": 0.1})
        with trio.move_on_after(0.05 + seed * 0.04):
            await run(disk, server, seed=seed)
        answered = sum(record.status == 200 for record in server.log.records)
        recorded = len(ids(disk))
        assert answered - recorded <= 8

        rest = disk.restarted()
        summary = await run(rest, server, seed=seed)

        assert (summary.exit_code, summary.results) == (0, 60), f"seed {seed}"
        assert len(set(ids(rest))) == len(ids(rest)) == 60
        assert sum(record.status == 200 for record in server.log.records) <= 60 + 8


async def test_no_secret_reaches_anything_that_is_written_or_shown(autojump_clock: MockClock) -> None:
    async def echoing(scope: Scope, receive: Receive, send: Send) -> None:
        sent = dict(scope["headers"])[b"x-api-key"]
        body = json.dumps(
            {"type": "error", "error": {"type": "api_error", "message": "bad key " + sent.decode()}}
        )
        await send({"type": "http.response.start", "status": 400, "headers": [(b"x-key", sent)]})
        await send({"type": "http.response.body", "body": body.encode()})

    disk, shown = new_disk(jobs(30)), Shown()
    summary = await run(disk, echoing, shown=shown)

    everything = b"".join(file.cached for path, file in disk.platters.files.items() if path != INPUT)
    assert summary.failed > 0
    assert KEY.encode() not in everything
    assert KEY not in as_text(summary) + repr(summary) + repr(shown)
    assert "bad key" in as_text(summary)


async def test_fields_of_the_input_are_kept_in_both_files(autojump_clock: MockClock) -> None:
    rows = b'{"q": "why?", "gold": "42", "n": {"m": [1]}}\n{"gold": "43"}\n'
    disk = new_disk(rows)
    request = RequestOptions(prompt="{q}", model="m", keep=("gold", "n.m"))

    await run(disk, simulator(), request=request)

    [record] = records(disk)
    assert record["headrace"]["input"] == {"gold": "42", "n.m": [1]}


async def test_a_server_that_knows_no_streaming_answers_all_the_same(autojump_clock: MockClock) -> None:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": "whole"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }

    async def plain(scope: Scope, receive: Receive, send: Send) -> None:
        head = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json")],
        }
        await send(head)
        await send({"type": "http.response.body", "body": json.dumps(message).encode()})

    disk = new_disk(jobs(1))
    summary = await run(disk, plain, request=RequestOptions(stream=True))

    assert summary.exit_code == 0
    assert records(disk)[0]["result"]["message"]["content"] == message["content"]
