"""`fan_out`, its sync form, and `run_file`."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest

import headrace
from headrace import Job, RunRefused, fan_out, fan_out_sync, open_runner, run_file
from headrace.library._settings import RunnerOptions
from headrace.simulator import Profile, RequestLog, Simulator
from headrace_client import AsyncAnthropic

from .conftest import Loop
from .jobs import params, simulator


def test_results_come_in_the_order_of_the_jobs(loop: Loop) -> None:
    """Also if the jobs finish in another order."""
    api = Simulator(Profile(ttft=0.01, ttft_jitter=4.0), log=RequestLog(keep=False))
    finished: list[int] = []

    async def main() -> list[int]:
        jobs = (Job(params(n), id=str(n), context=n) for n in range(300))
        settings = RunnerOptions(
            simulate=api, on_attempt=lambda attempt: finished.append(int(attempt.job_id))
        )
        return [result.job.context for result in await fan_out(jobs, **settings)]

    assert loop(main) == list(range(300))
    assert sorted(finished) == list(range(300)) != finished


def test_a_script_needs_no_loop() -> None:
    results = fan_out_sync([params(0), params(1)], simulate=True)

    assert [result.position for result in results] == [0, 1]


def test_the_sync_form_runs_in_a_thread_and_warns_if_a_loop_is_running(loop: Loop) -> None:
    async def main() -> int:
        with pytest.warns(UserWarning, match="blocks the running event loop"):
            return len(fan_out_sync([params(0)], simulate=True))

    assert loop(main) == 1


def test_progress_ends_with_all_jobs(loop: Loop, capfd: pytest.CaptureFixture[str]) -> None:
    """On a terminal, even if the packages of a notebook are imported."""
    pytest.importorskip("ipykernel")

    async def main() -> None:
        await fan_out([params(n) for n in range(30)], progress=True, simulate=simulator())

    loop(main)

    assert "30/30 jobs" in capfd.readouterr().err


CTRL_C = """
import os, signal, threading, sys
import headrace
from headrace.simulator import Profile, Simulator

def interrupt():
    os.kill(os.getpid(), signal.SIGINT)

def jobs():
    yield {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": "hi"}]}
    threading.Timer(0.1, interrupt).start()

def work():
    headrace.fan_out_sync(jobs(), simulate=Simulator(Profile(faults={"hang": 1.0})))

async def in_a_loop():
    work()

try:
    if sys.argv[1] == "thread":
        import asyncio, warnings
        warnings.simplefilter("ignore")
        asyncio.run(in_a_loop())
    else:
        work()
except KeyboardInterrupt as error:
    print("interrupted", [t.name for t in threading.enumerate() if t.name == "headrace"])
"""


@pytest.mark.parametrize("where", ["plain", "thread"])
def test_ctrl_c_ends_the_sync_form(where: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CTRL_C, where],
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )

    assert (ended.stdout, ended.stderr) == ("interrupted []\n", "")


def test_run_file_does_what_the_command_does(loop: Loop, tmp_path: Path) -> None:
    jobs, output = tmp_path / "jobs.jsonl", tmp_path / "out.jsonl"
    jobs.write_text('{"topic": "mills"}\n{"topic": "weirs"}\n')

    async def main() -> headrace.Summary:
        return await run_file(
            jobs, output=output, prompt="On {topic}.", model="m", max_tokens=4, simulate=True
        )

    summary = loop(main)

    assert (summary.input, summary.results, summary.output) == (2, 2, output)
    assert loop(main).done_before == 2


def test_run_file_can_be_cancelled(loop: Loop, tmp_path: Path) -> None:
    """A FIFO without a writer: the read in a thread is abandoned."""
    os.mkfifo(tmp_path / "fifo")

    async def main() -> None:
        with anyio.fail_after(0.2):
            await run_file(tmp_path / "fifo", output=tmp_path / "out.jsonl", simulate=True)

    with pytest.raises(TimeoutError):
        loop(main)
    with os.fdopen(os.open(tmp_path / "fifo", os.O_WRONLY | os.O_NONBLOCK)):
        pass  # so that the abandoned thread can end


def test_an_unknown_option_is_a_type_error_that_names_the_closest(loop: Loop) -> None:
    misspelt: Any = {"max_wiat": 5.0}
    unsuitable: Any = {"prompt": "Q: {question}"}

    with pytest.raises(TypeError, match=r"open_runner\(\) got an .* 'max_wiat'; did you mean 'max_wait'\?"):
        open_runner(**misspelt)
    with pytest.raises(TypeError, match=r"open_runner\(\) got an .* 'prompt'"):
        open_runner(**unsuitable)
    with pytest.raises(TypeError, match=r"run_file\(\) got an .* 'max_wiat'; did you mean 'max_wait'\?"):
        loop(partial(run_file, "jobs.jsonl", **misspelt))


def test_a_runner_uses_the_server_and_key_of_a_client(loop: Loop) -> None:
    """The connection to the client's address fails: no server listens there."""

    async def main() -> Any:
        client = AsyncAnthropic(api_key="sk-client", base_url="http://127.0.0.1:9")
        async with open_runner(client, max_attempts=1) as runner:
            result = await runner.call(params(0))
        return result.error

    assert loop(main).kind == "connection"


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_an_http_client_of_asyncio_is_refused(use_uvloop: bool) -> None:
    async def main() -> None:
        async with httpx.AsyncClient() as http_client:
            client = AsyncAnthropic(api_key="sk-client", http_client=http_client)
            async with open_runner(client):
                pass

    with pytest.raises(RunRefused, match="http_client of this client"):
        anyio.run(main, backend_options={"use_uvloop": use_uvloop})


def test_a_client_together_with_a_key_is_refused() -> None:
    with pytest.raises(RunRefused, match="has a server and an API key already"):
        open_runner(AsyncAnthropic(api_key="sk-client"), api_key="sk-other")


@pytest.mark.parametrize("calls", [0, 1], ids=["idle", "with a call in flight"])
@pytest.mark.parametrize("answered", [False, True], ids=["at once", "after the response may have arrived"])
def test_a_loop_that_is_closed_early_is_reported(
    calls: int, answered: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Even if no call is left for the loop: the response may have arrived just before the end."""
    loop = asyncio.new_event_loop()
    before = set(threading.enumerate())
    opened = open_runner(simulate=simulator())
    runner = loop.run_until_complete(opened.__aenter__())
    in_flight = [loop.create_task(runner.call(params(n))) for n in range(calls)]
    loop.run_until_complete(asyncio.sleep(0))
    if answered:
        time.sleep(0.05)  # for the runner's thread
        loop.run_until_complete(asyncio.sleep(0))  # delivers the result; the call has no turn to read it
    loop.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
    for task in in_flight:
        cast("Coroutine[Any, Any, Any]", task.get_coro()).close()  # as the garbage collector does eventually

    assert caplog.text.count("the event loop was closed while a runner was open") == 1


def test_all_public_names_exist() -> None:
    assert sorted(headrace.__all__) == headrace.__all__
    assert all(getattr(headrace, name) is not None for name in headrace.__all__)
    assert set(headrace.__all__) <= set(dir(headrace))
    with pytest.raises(AttributeError):
        _ = headrace.nothing  # pyright: ignore[reportAttributeAccessIssue]  (that is the point)


def test_importing_the_package_imports_next_to_nothing() -> None:
    check = "import sys, headrace; print(sorted({'trio', 'httpx', 'asyncio', 'msgspec'} & set(sys.modules)))"
    ended = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
    )

    assert ended.stdout == "[]\n"
