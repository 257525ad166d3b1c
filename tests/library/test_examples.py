"""The examples of docs/library.md, run unchanged against a simulator on loopback."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio

from headrace.simulator import Profile, RequestLog, Simulator, serve

PAGE = Path(__file__).parents[2] / "docs" / "library.md"
FENCE = re.compile(r"^```python(?: (\w+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> dict[str, tuple[str, str]]:
    """The kind and the code of each example, by its heading."""
    found: dict[str, tuple[str, str]] = {}
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        for kind, code in FENCE.findall(section):
            found[section.partition("\n")[0]] = kind, code
    return found


EXAMPLES = examples()


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Serve a simulator on a free port, in a thread, while the tests of the module run."""
    over, ports = threading.Event(), list[int]()
    ready = threading.Event()

    async def main() -> None:
        stop = trio.Event()
        app = Simulator(Profile(ttft=0.0), log=RequestLog(keep=False))
        async with trio.open_nursery() as nursery:
            ports.append(await nursery.start(partial(serve, app, port=0, until=stop.wait)))
            ready.set()
            await trio.to_thread.run_sync(over.wait)
            stop.set()

    thread = threading.Thread(target=trio.run, args=(main,), name="simulator")
    thread.start()
    ready.wait(30)
    yield f"http://127.0.0.1:{ports[0]}"
    over.set()
    thread.join()


@pytest.fixture(autouse=True)
def environment(api: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment in which the examples run."""
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-example")
    monkeypatch.chdir(tmp_path)


def run(heading: str) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(EXAMPLES[heading][1], str(PAGE), "exec"), names)
    return names


def test_a_script(capsys: pytest.CaptureFixture[str]) -> None:
    run("In a script")

    assert re.fullmatch(r"What is a headrace\? -> .+\nWhat is a tailrace\? -> .+\n", capsys.readouterr().out)


def test_a_pandas_column() -> None:
    pytest.importorskip("pandas")

    verdicts = run("A pandas column")["reviews"]["verdict"]

    assert [bool(verdict) for verdict in verdicts] == [True, True]


def test_streaming_many_jobs_to_a_file(tmp_path: Path) -> None:
    run("Streaming many jobs")
    run("Streaming many jobs")

    records = [msgspec.json.decode(line) for line in (tmp_path / "haikus.jsonl").read_bytes().splitlines()]
    assert {record["custom_id"] for record in records} == {f"haiku-{n}" for n in range(100)}
    assert len(records) == 100


def test_a_trio_nursery(capsys: pytest.CaptureFixture[str]) -> None:
    run("In a trio program")

    assert capsys.readouterr().out.count(" -> ") == 3


def test_a_web_application() -> None:
    pytest.importorskip("fastapi")
    example = run("In a web application")

    async def ask() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=example["app"])
        async with (
            example["lifespan"](example["app"]),
            httpx.AsyncClient(transport=transport, base_url="http://app") as client,
        ):
            return [await client.get("/ask", params={"question": f"{n}?"}) for n in range(3)]

    answers = asyncio.run(ask())

    assert [answer.status_code for answer in answers] == [200] * 3
    assert all(answer.json()["answer"] for answer in answers)


def test_watching() -> None:
    assert run("Watching")["failures"] == []


def test_job_files(capsys: pytest.CaptureFixture[str]) -> None:
    run("Job files")

    assert capsys.readouterr().out == "2 of 2\n"


@pytest.mark.filterwarnings("default")  # the kernel's client issues some
def test_a_notebook_cell() -> None:
    nbformat: Any = pytest.importorskip("nbformat")
    nbclient: Any = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(EXAMPLES["In a notebook"][1])])

    nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3").execute()

    outputs = notebook.cells[0].outputs
    assert "20/20 jobs" in outputs[0]["data"]["text/html"]
    assert outputs[-1]["data"]["text/plain"] == "20"


def test_every_example_is_run() -> None:
    code = Path(__file__).read_text(encoding="utf-8")

    assert all(f'"{heading}"' in code for heading in EXAMPLES)
