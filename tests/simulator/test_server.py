"""The simulator on a real port of this machine, and the command `headrace simulate`."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import trio
from click.testing import CliRunner

from headrace.cli.simulate import simulate
from headrace.simulator import FaultKind, Profile, Simulator, body_digest, serve

from ._client import request

QUICK = Profile(ttft=0.0, tokens_per_second=1e6)


@asynccontextmanager
async def served(app: Simulator) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Serve the application on a free port and connect a client to it; stop gracefully."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:

        async def run(task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
            await serve(app, port=0, until=stop.wait, task_status=task_status)

        port = await nursery.start(run)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            yield client
        stop.set()


@pytest.mark.trio
async def test_it_answers_on_a_real_port_and_stops_gracefully() -> None:
    app = Simulator(QUICK)

    async with served(app) as client:
        whole = await client.post("/v1/messages", json=request())
        stream = await client.post("/v1/messages", json=request(stream=True))

    assert whole.json()["type"] == "message"
    assert stream.text.rstrip().endswith('data: {"type":"message_stop"}')
    assert app.log.statuses == {200: 2}


@pytest.mark.trio
@pytest.mark.parametrize("kind", ["reset", "cut"])
async def test_connection_faults_work_on_a_real_port_too(kind: FaultKind) -> None:
    async with served(Simulator(Profile(ttft=0.0, tokens_per_second=1e6, faults={kind: 1.0}))) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/v1/messages", json=request())


@pytest.mark.trio
async def test_a_port_in_use_is_a_plain_error() -> None:
    async with served(Simulator(QUICK)) as client:
        with pytest.raises(OSError, match="in use"):
            await serve(Simulator(QUICK), port=client.base_url.port or 0)


def test_the_command_says_where_it_listens_and_logs_every_request(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    roots = os.pathsep.join(str(Path.cwd() / root) for root in ("client", "runner"))
    command = [sys.executable, "-m", "headrace", "simulate", "--port", "0", "--ttft", "0", "--log", str(log)]
    command += ["--output-tokens", "5", "--model", "claude-sonnet-5-5", "--rpm", "60", "--burst", "2"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": roots},
    ) as process:
        try:
            ready = process.stdout.readline() if process.stdout else ""
            url = re.search(r"http://127\.0\.0\.1:\d+", ready)
            assert url, ready
            with httpx.Client(base_url=url[0], trust_env=False) as client:
                answers = [client.post("/v1/messages", json=request()) for _ in range(3)]
            lines = [json.loads(line) for line in log.read_text().splitlines()]
        finally:
            process.send_signal(signal.SIGINT)
        _, reported = process.communicate(timeout=20)

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].json()["usage"]["output_tokens"] == 5
    assert [line["status"] for line in lines] == [200, 200, 429]
    assert {line["body"] for line in lines} == {body_digest(answers[0].request.content)}
    assert reported == "served 3 requests: 2 x 200, 1 x 429\n"
    assert process.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "reported"),
    [
        (["--error-rate", "418=0.1"], "no such fault: 418"),
        (["--error-rate", "529"], "does not look like 529=0.1"),
        (["--error-rate", "529=1.5"], "between 0 and 1"),
        (["--output-tokens", "9-3"], "neither a number nor a range"),
        (["--log", "/nowhere/at/all"], "No such file or directory"),
        (["--rpm", "0"], "must be above 0"),
    ],
)
def test_the_command_rejects_invalid_options(arguments: list[str], reported: str) -> None:
    result = CliRunner().invoke(simulate, arguments)

    assert result.exit_code == 2
    assert reported in result.output
