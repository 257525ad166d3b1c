"""Systemic failure in programs (P19): each caller gets the error, and what is not sent gets it, too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from headrace import Job, JobFailed, Limits, Result, fan_out, open_runner
from headrace.simulator import Profile, Simulator
from headrace.simulator._asgi import Receive, Scope, Send, read_body

from .conftest import Loop
from .jobs import params

FAST = Limits(rpm=1_000_000)
"""A rate that is known need not be found, which takes seconds with a server that only fails."""


class Closed(Simulator):
    """A simulated API that refuses every request from the n-th on, or those for a closed model."""

    def __init__(self, after: int, closed_model: str | None = None) -> None:
        super().__init__(Profile(ttft=0.0, ttft_jitter=0.0, tokens_per_second=1e9))
        self.after, self.closed_model, self.received, self.refused = after, closed_model, 0, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await super().__call__(scope, receive, send)
            return
        self.received += 1
        body = await read_body(receive, 1_000_000)
        model = msgspec.json.decode(body)["model"]
        if self.received <= self.after or (self.closed_model is not None and model != self.closed_model):

            async def replay() -> dict[str, Any]:
                return {"type": "http.request", "body": body, "more_body": False}

            await super().__call__(scope, replay, send)
            return
        self.refused += 1
        error = {"type": "error", "error": {"type": "permission_error", "message": "closed for today"}}
        content = msgspec.json.encode(error)
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(content))]
        await send({"type": "http.response.start", "status": 403, "headers": headers})
        await send({"type": "http.response.body", "body": content})


def failures(results: list[Result[Any]]) -> list[JobFailed]:
    return [result.error for result in results if result.error is not None]


def test_all_callers_get_an_error_and_the_rest_is_not_sent(loop: Loop) -> None:
    api = Closed(after=30)

    results = loop(
        lambda: fan_out([params(n) for n in range(1000)], simulate=api, limits=FAST, concurrency=4)
    )

    failed = failures(results)
    assert (len(results), len(results) - len(failed)) == (1000, 30)
    assert all("closed for today" in str(error) for error in failed)
    assert 20 <= api.refused <= 20 + 2 * 4
    assert sum(error.kind == "stopped" for error in failed) >= 1000 - 30 - api.refused


def test_jobs_that_come_after_the_stop_get_it_as_their_error(loop: Loop) -> None:
    api = Closed(after=0)

    async def main() -> list[Result[Any]]:
        jobs = [params(n) for n in range(5000)]
        async with (
            open_runner(simulate=api, limits=FAST, concurrency=1) as runner,
            runner.map(jobs) as results,
        ):
            return [result async for result in results]

    results = loop(main)

    assert len(results) == 5000
    assert all("closed for today" in str(error) for error in failures(results))
    assert api.received <= 20 + 1


def test_with_continue_every_job_is_sent(loop: Loop) -> None:
    api = Closed(after=0)

    results = loop(
        lambda: fan_out([params(n) for n in range(100)], simulate=api, limits=FAST, on_systemic="continue")
    )

    assert (len(failures(results)), api.received) == (100, 100)
    assert not any(error.kind == "stopped" for error in failures(results))


def test_a_model_that_fails_among_others_ends_only_its_own_jobs(loop: Loop, tmp_path: Path) -> None:
    api, output = Closed(after=0, closed_model="bad"), tmp_path / "out.jsonl"
    jobs = [Job({**params(n), "model": "bad" if n % 2 else "good"}, id=f"job-{n}") for n in range(400)]

    results = loop(lambda: fan_out(jobs, simulate=api, limits=FAST, concurrency=4, output=output))

    assert len(failures(results)) == 200
    assert all(result.error is None for result in results if result.position % 2 == 0)
    assert api.refused <= 20 + 2 * 4

    api.closed_model, before = "none", api.received
    results = loop(lambda: fan_out(jobs, simulate=api, limits=FAST, concurrency=4, output=output))
    assert failures(results) == []
    assert api.received == before + 200


def test_after_a_stop_later_calls_start_afresh(loop: Loop) -> None:
    api = Closed(after=0)

    async def main() -> None:
        async with open_runner(simulate=api, limits=FAST, concurrency=1) as runner:
            async with runner.map([params(n) for n in range(100)]) as results:
                assert len([result async for result in results]) == 100
            api.after = 1_000
            assert (await runner.call(params(0))).error is None

    loop(main)
