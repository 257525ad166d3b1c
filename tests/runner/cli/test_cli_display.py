"""What a run shows while it works."""

from __future__ import annotations

import io
import json

import attrs
import pytest

from headrace.actors.statistics import Latency, Snapshot
from headrace.cli._display import PLAIN_INTERVAL, Style, display, plain_line
from headrace.job import Usage
from headrace.run.format import duration_text

NOTHING = Latency(p50=None, p95=None, p99=None)
SNAPSHOT = Snapshot(
    elapsed_s=10.0,
    results=1_000,
    failed=0,
    in_flight=64,
    waiting=2_000,
    attempts=1_000,
    bottleneck="input",
    rate_limited=0,
    maybe_billed=0,
    usage=Usage(),
    truncated=0,
    refusals=0,
    latency=NOTHING,
    ttft=NOTHING,
    failures={},
    retries={},
)


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class Hungup(Terminal):
    """A terminal that has been closed."""

    def write(self, text: str, /) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


def shown(style: Style, *snapshots: Snapshot, to_send: int | None = None, stream: io.StringIO) -> str:
    """What the stream gets from the snapshots."""
    with display(style, to_send, stream) as show:
        for snapshot in snapshots:
            show(snapshot)
    return stream.getvalue()


def at(seconds: float) -> Snapshot:
    return attrs.evolve(SNAPSHOT, elapsed_s=seconds)


def test_a_line_has_the_counts_the_rate_and_the_bottleneck() -> None:
    assert plain_line(SNAPSHOT, None) == "1,000 jobs, 100/s, 64 in flight, 2,000 waiting, bottleneck: input"


def test_a_line_has_failures_429s_and_the_time_left_where_there_are_some() -> None:
    troubled = attrs.evolve(SNAPSHOT, results=900, failed=100, rate_limited=3)

    line = plain_line(troubled, 10_000)

    assert line.startswith("1,000/10,000 jobs, 100/s")
    assert line.endswith("100 failed, 3 429s, 1 min 30 s left")


def test_a_line_at_the_very_start_divides_by_nothing() -> None:
    start = attrs.evolve(SNAPSHOT, elapsed_s=0.0, results=0)

    assert plain_line(start, 10).startswith("0/10 jobs, 0/s")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_599.6, "1 h 0 min"), (7_830, "2 h 10 min")],
)
def test_durations_are_text(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_plain_shows_a_line_per_interval() -> None:
    times = [0.0, 1.0, PLAIN_INTERVAL, PLAIN_INTERVAL + 1, 2 * PLAIN_INTERVAL]

    lines = shown("plain", *map(at, times), stream=io.StringIO()).splitlines()

    assert lines == [plain_line(at(PLAIN_INTERVAL), None), plain_line(at(2 * PLAIN_INTERVAL), None)]


def test_json_is_every_snapshot_on_a_line() -> None:
    lines = shown("json", at(0.5), at(1.0), stream=io.StringIO()).splitlines()

    assert [json.loads(line)["elapsed_s"] for line in lines] == [0.5, 1.0]


def test_none_shows_nothing() -> None:
    assert shown("none", SNAPSHOT, stream=Terminal()) == ""


def test_a_terminal_gets_a_bar_and_a_file_gets_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    bar = shown("auto", at(PLAIN_INTERVAL), to_send=10_000, stream=Terminal())
    lines = shown("auto", at(PLAIN_INTERVAL), to_send=10_000, stream=io.StringIO())

    assert "10%" in bar
    assert "1,000/10,000 jobs" in bar
    assert lines == plain_line(at(PLAIN_INTERVAL), 10_000) + "\n"


def test_a_bar_for_an_unknown_number_of_jobs_has_no_percentage() -> None:
    assert "%" not in shown("rich", SNAPSHOT, stream=Terminal())


def test_a_terminal_that_has_gone_is_reported_by_the_first_snapshot_and_not_before() -> None:
    with display("rich", 10, Hungup()) as show, pytest.raises(BrokenPipeError):
        show(SNAPSHOT)
