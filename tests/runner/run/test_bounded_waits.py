"""Bounded waits, P18: whatever a run waits for, it ends in time and says what it has waited for.

The whole program against a scripted server, in virtual time.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from random import Random
from typing import Any

import attrs
import pytest
import trio
from trio.testing import MockClock

from headrace.actors.messages import Pending
from headrace.actors.rules import Rules
from headrace.actors.supervisor import Outcome, Setup, supervise
from headrace.actors.worker import AttemptSettings
from headrace.dialects import make_dialect
from headrace.job import JobRequest, PreparedJob
from headrace.pacing import Pacing
from headrace.policy.options import Limits, RequestOptions, StopOptions
from headrace.policy.retry import RunRetryPolicy
from headrace.policy.stop import ExitCode, StopRules
from headrace.run.summary import Summary
from headrace.simulator import BucketLimit, ProviderLimits, in_memory_connector
from headrace.simulator._asgi import Receive, Scope, Send, read_body
from headrace_client import AsyncAPIClient
from headrace_client.lowlevel import ConnectionPool
from tests.runner.program import EPOCH, ERRORS, ids, jobs, new_disk, records, run, simulator

pytestmark = pytest.mark.trio

DAY = 86_400.0


@attrs.frozen(kw_only=True)
class Reply:
    """A response, ``after`` so many seconds. The body is an answer, or an error with ``message``."""

    status: int = 200
    after: float = 0.1
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    message: str = "not now"
    body: Mapping[str, Any] | None = None

    def content(self, model: str) -> bytes:
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(self.status, "api_error")
        error = {"type": "error", "error": {"type": kind, "message": self.message}}
        return json.dumps(self.body or (answer(model) if self.status == 200 else error)).encode()


def answer(model: str) -> dict[str, Any]:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [{"type": "text", "text": "hi"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }


OK = Reply()


@attrs.define
class Server:
    """``respond(job, model)`` returns the reply to the question of ``job-<job>``."""

    respond: Callable[[int, str], Reply]
    requests: list[tuple[float, int]] = attrs.field(factory=list[tuple[float, int]])
    """When which job was sent."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to one request."""
        body = json.loads(await read_body(receive, 2**20))
        job = int(body["messages"][0]["content"].removeprefix("question "))
        self.requests.append((trio.current_time(), job))
        reply = self.respond(job, body["model"])
        await trio.sleep(reply.after)
        headers = [(name.encode(), value.encode()) for name, value in reply.headers.items()]
        headers.append((b"content-type", b"application/json"))
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.content(body["model"])})

    def times(self, job: int) -> int:
        """How often a job was sent."""
        return sum(sent == job for _, sent in self.requests)


def asks_for(seconds: float | str, status: int = 429, **reply: Any) -> Reply:
    return Reply(status=status, headers={"retry-after": str(seconds)}, **reply)


def only(odd: int, reply: Reply, others: Reply = OK) -> Server:
    """A server that gives one job another reply than the others."""
    return Server(lambda job, _: reply if job == odd else others)


def message_of(summary: Summary) -> str:
    assert summary.reason is not None
    return summary.reason.message


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
@pytest.mark.parametrize("odd", [0, 1, 9, 19])
async def test_a_long_wait_for_the_last_jobs_ends_the_run_at_once(
    status: int, odd: int, autojump_clock: MockClock
) -> None:
    """The other jobs get their results first, also those in flight; the same command sends the rest."""
    disk, server = new_disk(jobs(20)), only(odd, asks_for(100_000, status, message="come back tomorrow"))

    first = await run(disk, server, concurrency=4)
    disk.close()
    second = await run(disk, only(-1, OK))

    assert (first.exit_code, first.failed) == (ExitCode.STOPPED, 0)
    assert first.results + first.not_started == 20
    assert first.run.elapsed_s < 5
    assert re.search(r"tomorrow\": .*model m\b.* has to wait another (99,99\d|100,000) s", message_of(first))
    assert (second.exit_code, sorted(ids(disk))) == (
        ExitCode.ALL_RESULTS,
        sorted(f"job-{n}" for n in range(20)),
    )


@pytest.mark.parametrize(
    "reply",
    [
        asks_for("27h46m40s"),
        asks_for(f"{EPOCH + 100_000:.0f}"),
        asks_for("Sat, 03 Jan 2026 00:00:00 GMT"),
        asks_for("2026-01-03T00:00:00Z"),
        Reply(status=429, headers={"retry-after-ms": "100000000"}),
        Reply(status=429, body={"error": {"details": [{"retryDelay": "100000s"}]}}),
        Reply(status=429, message="Limit 50, Used 50. Please try again in 27h46m40s."),
        Reply(status=429, headers={"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{EPOCH + DAY:.0f}"}),
        Reply(
            status=429,
            headers={
                "anthropic-ratelimit-requests-limit": "50",
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2026-01-02T00:00:00Z",
            },
        ),
    ],
)
async def test_a_long_wait_in_any_form_ends_the_run_at_once(reply: Reply, autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(5)), only(2, reply)

    summary = await run(disk, server)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.run.elapsed_s < 5
    assert re.search(r"has to wait another [\d,]+ s, longer than --max-wait", message_of(summary))


async def test_a_date_is_compared_with_the_clock_of_the_server(autojump_clock: MockClock) -> None:
    """This machine's clock is two days ahead: the date is not in the past."""
    refusal = Reply(
        status=429,
        headers={"retry-after": "Thu, 01 Jan 2026 00:00:40 GMT", "date": "Thu, 01 Jan 2026 00:00:00 GMT"},
    )
    refusals = iter([refusal])
    disk, server = new_disk(jobs(1)), Server(lambda _job, _model: next(refusals, OK))

    summary = await run(disk, server, clock_steps=[(0.0, 2 * DAY)])

    assert summary.exit_code == ExitCode.ALL_RESULTS
    assert 40 <= summary.run.elapsed_s <= 41.5


async def test_a_wait_within_the_limit_is_waited_for(autojump_clock: MockClock) -> None:
    replies = iter([asks_for(590)])
    disk, server = new_disk(jobs(1)), Server(lambda _job, _model: next(replies, OK))

    summary = await run(disk, server)

    assert summary.exit_code == ExitCode.ALL_RESULTS
    assert 590 <= summary.run.elapsed_s <= 592


@pytest.mark.parametrize("status", [429, 503, 500])
async def test_a_model_that_is_blocked_does_not_stop_the_others(
    status: int, autojump_clock: MockClock
) -> None:
    """They get their results first, for longer than ``max_wait``. Then nothing is left but to wait a day."""
    lines = jobs(3).replace(b'"model": "m"', b'"model": "blocked"') + jobs(200).replace(b"job-", b"other-")
    refusal = asks_for(DAY, status)
    disk = new_disk(lines)
    server = Server(lambda _, model: refusal if model == "blocked" else Reply(after=2.0))

    summary = await run(disk, server, concurrency=4, max_wait=20.0)

    assert (summary.exit_code, summary.results, summary.not_started) == (ExitCode.STOPPED, 200, 3)
    assert 100 <= summary.run.elapsed_s <= 105
    assert "model blocked" in message_of(summary)


async def test_long_waits_for_one_job_do_not_add_up_without_bound(autojump_clock: MockClock) -> None:
    """Each of the waits is within the limit, all of them are not."""
    disk, server = new_disk(jobs(1)), only(0, asks_for(400, 500))

    summary = await run(disk, server, max_attempts=100)

    assert summary.exit_code == ExitCode.STOPPED
    assert 400 <= summary.run.elapsed_s <= 402


async def test_answers_that_take_long_are_no_standstill(autojump_clock: MockClock) -> None:
    """A stray 429 while all others are being answered, for longer than ``max_wait``."""
    replies = iter([Reply(status=429)])
    disk = new_disk(jobs(40))
    server = Server(lambda job, _: next(replies, OK) if job == 3 else Reply(after=100.0))

    summary = await run(disk, server, concurrency=8, max_wait=10.0, timeout=200.0)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 40)


@pytest.mark.parametrize("status", [429, 500, 503, 529])
@pytest.mark.parametrize("asked", [None, "0", "1", "0.001"])
@pytest.mark.parametrize("count", [1, 3, 50])
async def test_refusals_and_outages_end_the_run_in_time(
    status: int, asked: str | None, count: int, autojump_clock: MockClock
) -> None:
    """However many jobs there are, and however short the waits that the server asks for."""
    headers = {} if asked is None else {"retry-after": asked}
    disk, server = new_disk(jobs(count)), only(-1, OK, Reply(status=status, headers=headers))

    summary = await run(disk, server, max_wait=30.0, max_attempts=1_000)

    assert (summary.exit_code, summary.not_started) == (ExitCode.STOPPED, count)
    assert summary.run.elapsed_s <= 36
    assert len(server.requests) <= 50 + count * 45 or status == 429
    assert "not now" in message_of(summary)


@pytest.mark.parametrize("max_wait", [0.0, 5.0])
async def test_a_server_that_hangs_ends_the_run_in_time(max_wait: float, autojump_clock: MockClock) -> None:
    """What is in flight has a timeout of its own."""
    replies = iter([Reply(status=429)])
    disk, server = new_disk(jobs(5)), Server(lambda _job, _model: next(replies, Reply(after=math.inf)))

    summary = await run(disk, server, max_wait=max_wait, timeout=30.0, max_attempts=1_000)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.run.elapsed_s <= 2 * (max_wait + 30)


async def test_a_job_larger_than_a_bucket_is_waited_for_within_bounds(autojump_clock: MockClock) -> None:
    """It leaves the bucket in debt for hours; the run says so instead of waiting."""
    limits = ProviderLimits(input=BucketLimit(per_minute=1_000))
    lines = jobs(2) + jobs(3, system="word " * 100_000).replace(b"job-", b"large-")
    disk, server = new_disk(lines), simulator(limits=limits)

    summary = await run(disk, server, concurrency=1)

    assert summary.exit_code == ExitCode.STOPPED
    assert summary.run.elapsed_s < 601
    assert re.search(r"model m has to wait another [\d,]+ s, longer than --max-wait", message_of(summary))


async def test_the_users_own_limits_are_obeyed_however_slow(autojump_clock: MockClock) -> None:
    """That is no standstill: ten minutes from job to job are what the user has asked for."""
    disk, server = new_disk(jobs(3)), only(-1, OK)

    summary = await run(disk, server, limits=Limits(rpm=0.1), max_wait=5.0)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 3)
    assert summary.run.elapsed_s >= 1_190


async def test_the_pace_of_a_slow_server_is_no_standstill(autojump_clock: MockClock) -> None:
    """Two requests a minute: half a minute from job to job is longer than ``max_wait``."""
    limits = ProviderLimits(requests=BucketLimit(per_minute=2, burst=2))
    disk, server = new_disk(jobs(6)), simulator(limits=limits)

    summary = await run(disk, server, max_wait=5.0)

    assert (summary.exit_code, summary.results) == (ExitCode.ALL_RESULTS, 6)


async def test_no_limit_means_no_limit(autojump_clock: MockClock) -> None:
    replies = iter([asks_for(2_000)])
    disk, server = new_disk(jobs(3)), Server(lambda _job, _model: next(replies, OK))

    summary = await run(disk, server, max_wait=math.inf)

    assert summary.exit_code == ExitCode.ALL_RESULTS
    assert summary.run.elapsed_s >= 2_000


async def test_no_wait_at_all_still_keeps_what_is_in_flight(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(8)), only(7, Reply(status=429), Reply(after=5.0))

    summary = await run(disk, server, max_wait=0.0)

    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.STOPPED, 7, 0)
    assert summary.run.elapsed_s <= 7


# -- a pipe as the input


@attrs.frozen
class Pipe:
    """Brings jobs at given times."""

    arrivals: tuple[tuple[float, int], ...]

    async def batches(self) -> AsyncIterator[list[int]]:
        """Yield the numbers of the jobs that arrive, when they do."""
        for at, number in self.arrivals:
            await trio.sleep_until(at)
            yield [number]


class Nowhere:
    """Drops the records."""

    def append_results(self, data: bytes) -> None:
        """Drop results."""

    def append_errors(self, data: bytes) -> None:
        """Drop failures."""


async def never() -> AsyncGenerator[Any]:
    await trio.sleep_forever()
    yield


def pending(number: int, now: float) -> Pending:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": f"question {number}"}]})
    request = JobRequest(path="/v1/messages", body=body.encode(), model="m", max_tokens=1, stream=False)
    job = PreparedJob(id=f"job-{number}", line=1, source=None, digest="", request=request)
    return Pending(job=job, read_at=now)


async def run_pipe(server: Server, *arrivals: tuple[float, int]) -> Outcome:
    dialect = make_dialect("anthropic", RequestOptions())
    async with trio.open_nursery() as nursery:
        pool = ConnectionPool(connect=in_memory_connector(server, nursery))
        client = AsyncAPIClient(
            version="0", base_url="http://api.localhost", pool=pool, _strict_response_validation=False
        )
        outcome = await supervise(
            Setup(
                source=Pipe(arrivals),
                item_of=pending,
                settings=AttemptSettings(
                    client=client,
                    dialect=dialect,
                    headers=dialect.headers("key"),
                    recipe="",
                    wall_clock=lambda: EPOCH + trio.current_time(),
                ),
                rules=Rules(
                    pacing=Pacing.fixed(8),
                    retry=RunRetryPolicy(),
                    stop=StopRules(),
                    random=Random(1).random,
                    stop_options=StopOptions(max_wait=600.0),
                ),
                output=Nowhere(),
                stops=never(),
            )
        )
        pool.close()
        nursery.cancel_scope.cancel()
    return outcome


async def test_an_idle_pipe_is_no_standstill(autojump_clock: MockClock) -> None:
    """Neither before the first job, nor after a refusal that has passed, nor between jobs."""
    replies = iter([asks_for(30), OK, asks_for(30)])
    server = Server(lambda _job, _model: next(replies, OK))

    outcome = await run_pipe(server, (DAY, 0), (2 * DAY, 1), (3 * DAY, 2))

    assert (outcome.reasons, outcome.snapshot.results) == ([], 3)


async def test_jobs_that_wait_for_too_long_end_a_run_whose_input_is_open(autojump_clock: MockClock) -> None:
    """The input gets a moment to bring a job that may be sent."""
    server = only(1, asks_for(DAY))

    outcome = await run_pipe(server, (0.0, 0), (1_000.0, 1), (DAY, 2))

    assert outcome.snapshot.results == 1
    assert "has to wait another 86,399 s" in outcome.reasons[0].message
    assert trio.current_time() < 1_005


# -- a job that is refused again and again: see also `test_refused_again`


@pytest.mark.parametrize("max_wait", [3.0, 60.0, 600.0])
@pytest.mark.parametrize("status", [429, 503, 529])
@pytest.mark.parametrize("count", [20, 300])
async def test_a_job_that_is_always_refused_gets_a_record_of_its_own(
    status: int, max_wait: float, count: int, autojump_clock: MockClock
) -> None:
    """It neither holds up the others, nor does the run wait for it without bound."""
    disk = new_disk(jobs(count))
    server = only(5, Reply(status=status, message="Request too large: limit 10, requested 12"))

    summary = await run(disk, server, max_wait=max_wait, seed=3)

    assert (summary.exit_code, summary.results, summary.failed) == (ExitCode.SOME_FAILED, count - 1, 1)
    assert server.times(5) >= 20
    assert max_wait <= summary.run.elapsed_s <= max(60.0, 2 * max_wait)
    others = max(at for at, job in server.requests if job != 5)
    assert others <= 60
    (record,) = records(disk, ERRORS)
    assert record["custom_id"] == "job-5"
    assert "requested 12" in json.dumps(record["result"]["error"])
    assert record["headrace"]["refusals"] == server.times(5)
    assert record["headrace"]["refusals_s"] >= max_wait - 1


@pytest.mark.parametrize("concurrency", [1, 4, "auto"])
@pytest.mark.parametrize("odd", [{0}, {3}, {3, 4}, {38}, {0, 7, 8, 9, 30}])
async def test_jobs_that_are_refused_at_once_let_others_go_first(
    odd: set[int], concurrency: int | str, autojump_clock: MockClock
) -> None:
    """Before anything shows that they are odd: as the only ones that are sent they would stop the run."""
    disk = new_disk(jobs(40))
    server = Server(lambda job, _: Reply(status=429, after=0.0) if job in odd else OK)

    summary = await run(disk, server, max_wait=600.0, concurrency=concurrency)

    assert (summary.exit_code, summary.results) == (ExitCode.SOME_FAILED, 40 - len(odd))
    assert summary.failed == len(odd)


async def test_such_a_job_is_tried_again_by_the_next_run(autojump_clock: MockClock) -> None:
    disk, server = new_disk(jobs(20)), only(5, Reply(status=429))
    await run(disk, server, max_wait=3.0)
    disk.close()

    second = await run(disk, only(-1, OK))

    assert (second.exit_code, len(ids(disk))) == (ExitCode.ALL_RESULTS, 20)
