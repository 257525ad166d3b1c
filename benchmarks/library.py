"""What a job costs with the library: on trio, over the asyncio bridge, compared with code written by hand.

    python -m benchmarks.library [--jobs 20000] [--in-flight 64] [--rounds 3] [NAME ...]
    python -m benchmarks.library --memory 1000000

Each contender runs in its own process, against a server in another process on loopback that responds at once.
Figures are the contender's CPU time (user and system) in microseconds per job: the best of several
interleaved rounds. gather and aiometer use the Anthropic SDK, with the interpreter that ``--peer`` names.
``--memory`` measures how much a runner's resident memory grows after the first 10,000 jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Final, cast

ANSWER = json.dumps(
    {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [{"type": "text", "text": "x" * 700}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 10, "output_tokens": 20},
    }
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nrequest-id: req_1\r\ncontent-length: %d\r\n\r\n%b"
    % (len(ANSWER), ANSWER)
)
QUESTION = "word " * 150


def _jobs(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        message = {"role": "user", "content": f"{n} {QUESTION}"}
        yield {"model": "m", "max_tokens": 16, "messages": [message]}


# -- the server


class _Server(asyncio.Protocol):
    """Responds to each request with the same bytes. Knows just enough HTTP to find the end of a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.WriteTransport", transport)
        self.buffer = b""

    def data_received(self, data: bytes) -> None:
        """Respond to each complete request."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            size = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(self.buffer) < end + 4 + size:
                return
            self.buffer = self.buffer[end + 4 + size :]
            self.transport.write(RESPONSE)


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# -- the contenders


async def _by_map(url: str, count: int, in_flight: int) -> int:
    import headrace

    opened = headrace.open_runner(concurrency=in_flight, base_url=url, no_auth=True)
    async with opened as runner, runner.map(_jobs(count)) as results:
        return sum([result.error is None async for result in results])


async def _by_gather(url: str, count: int, in_flight: int) -> int:
    anthropic: Any = import_module("anthropic")
    limit = asyncio.Semaphore(in_flight)
    async with anthropic.AsyncAnthropic(base_url=url, api_key="none") as client:

        async def one(job: dict[str, Any]) -> None:
            async with limit:
                await client.messages.create(**job)

        return len(await asyncio.gather(*map(one, _jobs(count))))


async def _by_aiometer(url: str, count: int, in_flight: int) -> int:
    aiometer: Any = import_module("aiometer")
    anthropic: Any = import_module("anthropic")
    async with anthropic.AsyncAnthropic(base_url=url, api_key="none") as client:

        async def one(job: dict[str, Any]) -> Any:
            return await client.messages.create(**job)

        done = 0
        async with aiometer.amap(one, list(_jobs(count)), max_at_once=in_flight) as results:
            async for _ in results:
                done += 1
        return done


PEERS: Final = frozenset({"gather", "aiometer"})
SLOWER: Final = 10
"""The peers are so slow that this fraction of the jobs is enough."""


def _on_trio(work: Callable[[], Awaitable[int]]) -> int:
    import trio

    return trio.run(work)


def _on_asyncio(work: Callable[[], Any]) -> int:
    return asyncio.run(work())


def _on_uvloop(work: Callable[[], Any]) -> int:
    import uvloop

    return uvloop.run(work())


CONTENDERS: dict[str, tuple[Callable[..., int], Callable[..., Awaitable[int]]]] = {
    "trio": (_on_trio, _by_map),
    "asyncio": (_on_asyncio, _by_map),
    "uvloop": (_on_uvloop, _by_map),
    "gather": (_on_asyncio, _by_gather),
    "aiometer": (_on_asyncio, _by_aiometer),
}


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _contend(name: str, url: str, count: int, in_flight: int) -> None:
    """Print the CPU time of a job, the first tenth of them being for warming up."""
    run, work = CONTENDERS[name]
    run(partial(work, url, count // 10, in_flight))
    before = _cpu_s()
    done = run(partial(work, url, count, in_flight))
    if done != count:
        raise SystemExit(f"{name}: {done} of {count} answers")
    print((_cpu_s() - before) / count * 1e6)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def _watch_memory(url: str, count: int, in_flight: int) -> int:
    import headrace

    begin = 0.0
    done = 0
    opened = headrace.open_runner(concurrency=in_flight, base_url=url, no_auth=True)
    async with opened as runner, runner.map(_jobs(count)) as results:
        async for _ in results:
            done += 1
            if done == 10_000:
                begin = _resident_mb()
            if done % 100_000 == 0:
                growth = _resident_mb() - begin
                print(f"{done:>9,} jobs  {_resident_mb():6.1f} MB  {growth:+.1f}", flush=True)
    return done


# -- the comparison


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", default=[])
    parser.add_argument("--jobs", type=int, default=20_000)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--memory", type=int)
    parser.add_argument("--peer", help="an interpreter that has the SDK and aiometer")
    parser.add_argument("--child", nargs=2, metavar=("NAME", "URL"))
    given = parser.parse_args()
    if given.child:
        name, url = given.child
        _contend(name, url, given.jobs, given.in_flight)
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True)
    try:
        url = f"http://127.0.0.1:{server.stdout.readline().strip() if server.stdout else ''}"
        if given.memory:
            for name in given.names or ["trio"]:
                CONTENDERS[name][0](partial(_watch_memory, url, given.memory, given.in_flight))
        else:
            measure = partial(_measure, url, given.jobs, given.in_flight, given.peer or sys.executable)
            _compare(given.names or list(CONTENDERS), given.rounds, measure)
    finally:
        server.terminate()
        server.wait()


def _compare(names: list[str], rounds: int, measure: Callable[[str], float]) -> None:
    figures = [{name: measure(name) for name in names} for _ in range(rounds)]
    best = {name: min(figure[name] for figure in figures) for name in names}
    for name, us in best.items():
        print(f"{name:>10} {us:8.1f} us of CPU per job  {us - best.get('trio', us):+8.1f}")


def _measure(url: str, count: int, in_flight: int, peer: str, name: str) -> float:
    """Return the figure of one round, NaN if the contender failed."""
    python, jobs = (peer, count // SLOWER) if name in PEERS else (sys.executable, count)
    command = [python, __file__, "--child", name, url, "--jobs", str(jobs), "--in-flight", str(in_flight)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return float(ended.stdout) if ended.returncode == 0 else float("nan")


if __name__ == "__main__":
    if "--serve" in sys.argv:
        asyncio.run(_serve())
    else:
        _main()
