"""Systemic failure in whole runs (P19): seen at any time, and its jobs are sent again by the same command.

Jobs that were sent and failed by it are transient, jobs that were not sent are not started; counts add up.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from headrace.policy.options import RequestOptions
from headrace.policy.stop import ExitCode
from headrace.run.summary import Summary
from headrace.simulator._asgi import Receive, Scope, Send, read_body
from tests.runner.disk import Killed, SimulatedDisk
from tests.runner.program import ERRORS, INPUT, Shown, ids, jobs, new_disk, records, run

Answer = tuple[int, dict[str, Any]]
CONCURRENCY = 8
pytestmark = pytest.mark.trio


def message(model: str = "m") -> Answer:
    return 200, {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "output_tokens": 2},
    }


def error(status: int, text: str, kind: str = "invalid_request_error") -> Answer:
    return status, {"type": "error", "error": {"type": kind, "message": text}}


class Server:
    """Answers each request as ``decide`` says, given the number of its job and that of the request."""

    def __init__(self, decide: Callable[[int, int], Answer], seed: int = 0) -> None:
        self.decide, self.jobs, self.models = decide, Counter[int](), Counter[str]()
        self._random = Random(seed)

    @property
    def requests(self) -> int:
        return self.jobs.total()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = json.loads(await read_body(receive, 1_000_000))
        number = int(body["messages"][0]["content"].split()[-1])
        self.jobs[number] += 1
        self.models[body["model"]] += 1
        status, answer = self.decide(number, self.requests)
        await trio.sleep(0.5 + self._random.random())
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def works(_job: int, _request: int) -> Answer:
    return message()


def until(request: int, then: Answer) -> Callable[[int, int], Answer]:
    """A server that answers ``request`` requests, and all later ones with one error."""
    return lambda _job, number: message() if number <= request else then


def adds_up(summary: Summary, disk: SimulatedDisk, count: int) -> None:
    assert summary.results + summary.failed + summary.not_started == count
    assert len(ids(disk)) == len(set(ids(disk))) == summary.results
    assert len(ids(disk, ERRORS)) == len(set(ids(disk, ERRORS))) == summary.failed
    assert not set(ids(disk)) & set(ids(disk, ERRORS))


async def resume(disk: SimulatedDisk, decide: Callable[[int, int], Answer], **options: Any) -> Summary:
    disk.close()
    options.setdefault("concurrency", CONCURRENCY)
    return await run(disk, Server(decide), **options)


ENDS = {
    "a key's limit without a known text": (error(403, "This key may do 50 things"), ExitCode.CREDENTIALS),
    "an archived workspace": (error(400, "The workspace was archived on day 17"), ExitCode.STOPPED),
    "an endpoint that has moved": (error(404, "nothing here"), ExitCode.STOPPED),
    "a method that is refused": (error(405, "Method Not Allowed"), ExitCode.STOPPED),
    "a parameter that is refused": (error(400, "temperature: range: 0..1"), ExitCode.STOPPED),
}


@pytest.mark.parametrize(("end", "exit_code"), ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("good", [0, 50])
async def test_a_run_that_fails_alike_from_some_request_on_stops_and_is_completed_later(
    autojump_clock: MockClock, good: int, end: Answer, exit_code: ExitCode
) -> None:
    disk, server = new_disk(jobs(300)), Server(until(good, end))

    summary = await run(disk, server, concurrency=CONCURRENCY)

    assert summary.exit_code == exit_code
    assert summary.reason is not None
    assert end[1]["error"]["message"] in summary.reason.message
    # Results of earlier requests that arrive after the first failures begin a new streak, once each at most.
    late = CONCURRENCY if good else 0
    assert server.requests <= good + late + CONCURRENCY + 20
    assert summary.results == good
    assert summary.not_started == 300 - server.requests
    adds_up(summary, disk, 300)

    lifted = Server(works)
    disk.close()
    summary = await run(disk, lifted, concurrency=CONCURRENCY)
    assert (summary.exit_code, summary.results, lifted.requests) == (0, 300, 300 - good)
    adds_up(summary, disk, 300)


async def test_a_known_account_error_stops_at_the_first_one(autojump_clock: MockClock) -> None:
    text = "You have reached your specified API usage limits. You will regain access on 2026-04-01."
    disk, server = new_disk(jobs(1000)), Server(until(50, error(400, text)))

    summary = await run(disk, server, concurrency=CONCURRENCY)

    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.STOPPED, 50, 0)
    assert server.requests <= 50 + CONCURRENCY
    assert summary.reason is not None
    assert summary.reason.message.startswith(f"400 invalid_request_error: {text[:40]}")


async def test_jobs_that_use_up_their_attempts_with_the_same_outage_stop_the_run(
    autojump_clock: MockClock,
) -> None:
    """Failures about content keep the circuit breaker closed: the server does respond."""

    def decide(job: int, _request: int) -> Answer:
        return CONTENT[0] if job % 2 else error(500, f"worker {job} crashed", "api_error")

    disk, server = new_disk(jobs(500)), Server(decide)

    summary = await run(disk, server, concurrency=CONCURRENCY, max_attempts=2)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.reason is not None
    assert "crashed" in summary.reason.message
    assert len(server.jobs) <= 2 * (20 + CONCURRENCY)
    adds_up(summary, disk, 500)


CONTENT = [
    error(400, "prompt is too long: 210000 tokens > 200000 maximum"),
    error(413, "Request exceeds the maximum size", "request_too_large"),
    error(400, "Output blocked by content filtering policy"),
    error(400, "messages.0.content.0.image: could not process image"),
]


@pytest.mark.parametrize("refusal", CONTENT)
async def test_failures_about_the_content_of_jobs_never_stop_a_run_and_are_final(
    autojump_clock: MockClock, refusal: Answer
) -> None:
    disk = new_disk(jobs(100))

    summary = await run(disk, Server(lambda _job, _request: refusal), concurrency=CONCURRENCY)
    assert (summary.exit_code, summary.failed) == (ExitCode.SOME_FAILED, 100)

    summary = await resume(disk, works)
    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.SOME_FAILED, 0, 100)


@pytest.mark.parametrize("seed", range(5))
async def test_scattered_failures_alike_never_stop_a_run(autojump_clock: MockClock, seed: int) -> None:
    bad = set(Random(seed).sample(range(500), 150))
    server = Server(lambda job, _request: ENDS_ALIKE if job in bad else message(), seed)
    disk = new_disk(jobs(500))

    summary = await run(disk, server, concurrency=32)

    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.SOME_FAILED, 350, 150)


ENDS_ALIKE = error(400, "the workspace was archived")


async def test_many_answers_at_the_same_instant_are_no_streak(autojump_clock: MockClock) -> None:
    """Half of 200 jobs fail alike, and all answers are there at once, as after a pause of this machine."""

    class AtOnce(Server):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            self._random = Random(0)
            await super().__call__(scope, receive, send)

    server = AtOnce(lambda job, _request: ENDS_ALIKE if job % 2 else message())
    disk = new_disk(jobs(1000))

    summary = await run(disk, server, concurrency=200)

    assert (summary.results, summary.failed) == (500, 500)


BAD = range(30, 90)
"""Jobs in the middle of the file that are at fault themselves, in words that are not known."""


def some_are_bad(job: int, _request: int) -> Answer:
    return error(400, f"tools.{job}: no such tool") if job in BAD else message()


async def test_the_second_time_the_same_jobs_are_final_and_the_run_goes_past_them(
    autojump_clock: MockClock,
) -> None:
    disk, runs = new_disk(jobs(200)), 0
    summary = await run(disk, Server(some_are_bad), concurrency=CONCURRENCY)
    first = set(ids(disk, ERRORS))
    assert (summary.exit_code, len(first) >= 20) == (ExitCode.STOPPED, True)

    while summary.exit_code == ExitCode.STOPPED:
        runs += 1
        summary = await resume(disk, some_are_bad)
        adds_up(summary, disk, 200)
        assert first <= set(ids(disk, ERRORS))

    assert runs <= 3
    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.SOME_FAILED, 140, 60)
    summary = await resume(disk, works)  # the last one ended for good: only what was not final is sent again
    assert summary.results < 200 - len(first) + 1
    assert not first & set(ids(disk))


async def test_the_notice_says_that_the_jobs_of_the_streak_are_sent_again(autojump_clock: MockClock) -> None:
    disk, shown = new_disk(jobs(100)), Shown()
    summary = await run(disk, Server(until(10, ENDS_ALIKE)), concurrency=1)
    assert summary.failed == 20

    await resume(disk, works, shown=shown)

    assert any(notice.startswith("20 jobs that failed like") for notice in shown.notices)


@pytest.mark.parametrize("change", ["server", "key", "recipe", "error", "stop"])
async def test_if_anything_has_changed_the_same_streak_stops_the_run_again(
    autojump_clock: MockClock, change: str
) -> None:
    disk = new_disk(jobs(40))
    assert (await run(disk, Server(until(0, ENDS_ALIKE)), concurrency=1)).failed == 20

    options: dict[str, dict[str, Any]] = {
        "server": {"headers": ("X-Region: 2",)},
        "key": {"no_auth": True},
        "recipe": {"request": RequestOptions(max_tokens=7)},
        "error": {},
        "stop": {"on_systemic": "stop"},
    }
    answer = error(400, "the project was archived") if change == "error" else ENDS_ALIKE
    summary = await resume(disk, until(0, answer), concurrency=1, **options[change])

    assert (summary.exit_code, summary.failed, summary.not_started) == (ExitCode.STOPPED, 20, 20)


async def test_unchanged_it_goes_past_them(autojump_clock: MockClock) -> None:
    """The counterpart of the test above."""
    disk = new_disk(jobs(39))
    assert (await run(disk, Server(until(0, ENDS_ALIKE)), concurrency=1)).failed == 20

    summary = await resume(disk, until(0, ENDS_ALIKE), concurrency=1)

    assert (summary.exit_code, summary.failed, summary.not_started) == (ExitCode.SOME_FAILED, 39, 0)


async def test_changed_lines_are_other_jobs(autojump_clock: MockClock) -> None:
    disk = new_disk(jobs(40))
    assert (await run(disk, Server(until(0, ENDS_ALIKE)), concurrency=1)).failed == 20

    disk.put(INPUT, jobs(40, max_tokens=21))
    summary = await resume(disk, until(0, ENDS_ALIKE), concurrency=1)

    assert (summary.exit_code, summary.failed) == (ExitCode.STOPPED, 20)


async def test_continue_never_stops_and_its_failures_are_final(autojump_clock: MockClock) -> None:
    disk = new_disk(jobs(200))
    server = Server(until(10, ENDS_ALIKE))

    summary = await run(disk, server, concurrency=CONCURRENCY, on_systemic="continue")
    assert (summary.exit_code, summary.failed, server.requests) == (ExitCode.SOME_FAILED, 190, 200)

    summary = await resume(disk, works)
    assert (summary.exit_code, summary.failed) == (ExitCode.SOME_FAILED, 190)


async def test_continue_goes_past_a_streak_that_has_stopped_an_earlier_run(autojump_clock: MockClock) -> None:
    disk = new_disk(jobs(200))
    assert (await run(disk, Server(until(10, ENDS_ALIKE)), concurrency=1)).not_started == 170

    summary = await resume(disk, until(0, ENDS_ALIKE), on_systemic="continue")

    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.SOME_FAILED, 10, 190)


async def test_max_failures_still_counts(autojump_clock: MockClock) -> None:
    disk = new_disk(jobs(200))

    summary = await run(disk, Server(until(0, ENDS_ALIKE)), concurrency=1, max_failures="5")

    assert (summary.exit_code, summary.failed) == (ExitCode.STOPPED, 6)


# -- several models


def two_models(count: int) -> bytes:
    lines = [json.loads(line) for line in jobs(count).splitlines()]
    for number, line in enumerate(lines):
        line["params"]["model"] = "bad" if number % 2 else "good"
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


UNKNOWN = error(404, "model: bad", "not_found_error")
CLOSED = error(403, "this model is for members", "permission_error")


def one_is_bad(answer: Answer) -> Callable[[int, int], Answer]:
    return lambda job, _request: answer if job % 2 else message("good")


@pytest.mark.parametrize("answer", [UNKNOWN, CLOSED])
async def test_a_bad_model_among_others_ends_its_own_jobs_only(
    autojump_clock: MockClock, answer: Answer
) -> None:
    disk, server = new_disk(two_models(1000)), Server(one_is_bad(answer))

    summary = await run(disk, server, concurrency=CONCURRENCY)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.reason is not None
    assert "of model bad" in summary.reason.message
    assert summary.results == server.models["good"] == 500
    assert server.models["bad"] <= 20 + CONCURRENCY
    assert summary.failed == server.models["bad"]
    adds_up(summary, disk, 1000)

    summary = await resume(disk, works)
    assert (summary.exit_code, summary.results) == (0, 1000)


async def test_models_in_one_block_each_do_not_hide_each_other(autojump_clock: MockClock) -> None:
    lines = two_models(1000).splitlines(keepends=True)
    disk, server = new_disk(b"".join(lines[1::2] + lines[::2])), Server(one_is_bad(UNKNOWN))

    summary = await run(disk, server, concurrency=CONCURRENCY)

    assert (summary.exit_code, summary.results) == (ExitCode.STOPPED, 500)
    assert server.models["bad"] <= 20 + CONCURRENCY
    adds_up(summary, disk, 1000)


async def test_if_all_jobs_are_of_the_unknown_model_the_run_stops(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(2000)), Server(until(0, error(404, "model: m", "not_found_error")))

    summary = await run(disk, server, concurrency=CONCURRENCY)

    assert summary.exit_code == ExitCode.STOPPED
    assert server.requests <= 20 + CONCURRENCY
    adds_up(summary, disk, 2000)


# -- kills


async def killed_run(disk: SimulatedDisk, server: Server) -> None:
    """Run until the disk kills the process."""
    try:
        await run(disk, server, concurrency=1)
    except BaseExceptionGroup as group:
        assert group.subgroup(Killed) is not None  # noqa: PT017  # a kill may also come bare
    except Killed:
        pass
    else:
        raise AssertionError("the disk has not killed the process")


async def test_a_kill_in_the_middle_of_the_streak_loses_nothing(autojump_clock: MockClock) -> None:
    """The run did not live to see 20 failures alike. From the third on, they may have become that many."""
    whole, found = new_disk(jobs(40)), set[int]()
    assert (await run(whole, Server(until(4, ENDS_ALIKE)), concurrency=1)).failed == 20

    for call in range(whole.calls):
        disk = new_disk(jobs(40))
        disk.faults[call] = Killed()
        await killed_run(disk, Server(until(4, ENDS_ALIKE)))
        written = len(records(disk, ERRORS)) if ERRORS in disk.platters.files else 0
        summary = await run(disk.restarted(), Server(works), concurrency=1)
        found.add(written)
        assert summary.results == (40 if written >= 3 else 40 - written)

    assert found == set(range(21))


async def test_a_kill_in_the_middle_of_the_streak_hides_nothing(autojump_clock: MockClock) -> None:
    """If the cause is not fixed, the streak continues where it was, and then ends the run."""
    whole, found = new_disk(jobs(41)), set[int]()
    await run(whole, Server(until(0, ENDS_ALIKE)), concurrency=1)
    for call in range(whole.calls - 20, whole.calls):
        disk = new_disk(jobs(41))
        disk.faults[call] = Killed()
        await killed_run(disk, Server(until(0, ENDS_ALIKE)))
        written = len(records(disk, ERRORS))
        server = Server(until(0, ENDS_ALIKE))
        second = await run(disk.restarted(), server, concurrency=1)
        # Once the streak has ended a run, its jobs count towards no other.
        assert (second.exit_code, server.requests) == (ExitCode.STOPPED, 20 if written < 20 else 40)
        found.add(written)

    assert found >= {11, 19, 20}


async def test_the_last_failures_of_a_run_that_has_come_to_its_end_are_final(
    autojump_clock: MockClock,
) -> None:
    disk = new_disk(jobs(30))
    first = await run(disk, Server(until(15, ENDS_ALIKE)), concurrency=1)
    disk.close()
    server = Server(works)
    again = await run(disk.restarted(), server)

    assert (first.failed, again.failed, server.requests) == (15, 15, 0)


@pytest.mark.parametrize("call", range(12))
async def test_a_kill_at_any_call_of_the_rerun_keeps_what_is_known_of_the_streak(
    autojump_clock: MockClock, call: int
) -> None:
    disk = new_disk(jobs(39))
    assert (await run(disk, Server(until(0, ENDS_ALIKE)), concurrency=1)).failed == 20
    disk.close()

    rerun = disk.restarted({call: Killed()})
    await killed_run(rerun, Server(until(0, ENDS_ALIKE)))
    again = rerun.restarted()
    summary = await run(again, Server(until(0, ENDS_ALIKE)), concurrency=1)

    assert (summary.exit_code, summary.failed) == (ExitCode.SOME_FAILED, 39)
    adds_up(summary, again, 39)
