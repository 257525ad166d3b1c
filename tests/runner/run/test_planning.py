"""A plan says what a run then comes to."""

from __future__ import annotations

import attrs
import pytest
import trio
from trio.testing import MockClock

from headrace._exceptions import RunRefused
from headrace.policy.options import Concurrency, Limits, RunOptions
from headrace.run.assumptions import Assumptions
from headrace.run.plan import _profile as profile_of  # pyright: ignore[reportPrivateUsage]  the same server for both
from headrace.run.plan import _SkippingClock as SkippingClock
from headrace.run.plan import as_text, make_plan
from headrace.simulator import Simulator
from tests.runner import program
from tests.runner.disk import SimulatedDisk


@attrs.frozen(kw_only=True)
class Shape:
    """A file and a server."""

    jobs: int
    limits: Limits = attrs.field(factory=Limits)
    assumed: Assumptions = attrs.field(factory=Assumptions)
    concurrency: Concurrency = "auto"
    max_tokens: int = 400
    stream: bool = False

    def options(self) -> RunOptions:
        """The options of both."""
        return RunOptions.of(
            program.INPUT,
            limits=self.limits,
            concurrency=self.concurrency,
            stream=self.stream,
            simulate=True,
        )


SHAPES = {
    "requests": Shape(jobs=600, limits=Limits(rpm=600)),
    "input": Shape(jobs=600, limits=Limits(itpm=20_000), assumed=Assumptions(burst=10)),
    "output": Shape(jobs=300, limits=Limits(otpm=120_000), assumed=Assumptions(burst=10)),
    "concurrency": Shape(jobs=300, concurrency=10),
    "slow answers": Shape(
        jobs=1_000,
        limits=Limits(rpm=1_200),
        assumed=Assumptions(latency=10, tokens_per_second=50, output_tokens=(100, 300)),
    ),
    "streamed": Shape(jobs=300, limits=Limits(rpm=600), stream=True),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_plan_tells_the_time_and_the_tokens_of_a_run_within_a_twentieth(name: str) -> None:
    shape = SHAPES[name]
    disk = program.new_disk(program.jobs(shape.jobs, max_tokens=shape.max_tokens))
    plan = make_plan(shape.options(), program.inputs_of(disk, shape.options().input), shape.assumed)
    seconds, output_tokens = trio.run(_run, shape, disk, clock=MockClock(autojump_threshold=0))

    assert plan.jobs == shape.jobs
    assert plan.seconds == pytest.approx(seconds, rel=0.05)
    assert plan.run.usage.output == pytest.approx(output_tokens, rel=0.05)


async def _run(shape: Shape, disk: SimulatedDisk) -> tuple[float, int]:
    server = Simulator(profile_of(shape.options(), shape.assumed), epoch=program.EPOCH)
    summary = await program.run(disk, server, concurrency=shape.concurrency, stream=shape.stream)
    assert summary.results == shape.jobs
    return trio.current_time(), summary.run.usage.output or 0


def test_virtual_time_skips_to_whoever_sleeps_least_and_waits_for_nobody() -> None:
    woke: list[tuple[str, float]] = []

    async def sleeper(name: str, seconds: float) -> None:
        await trio.sleep(seconds)
        woke.append((name, trio.current_time()))

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sleeper, "long", 1_000.0)
            nursery.start_soon(sleeper, "short", 10.0)
            with trio.move_on_after(100.0):
                await trio.sleep_forever()
            woke.append(("cut off", trio.current_time()))

    trio.run(main, clock=SkippingClock())

    assert woke == [("short", 10.0), ("cut off", 100.0), ("long", 1_000.0)]


def test_a_plan_tells_cost_and_what_binds() -> None:
    disk = program.new_disk(program.jobs(60, max_tokens=100))
    options = RunOptions.of(program.INPUT, limits=Limits(rpm=120), simulate=True, model="claude-sonnet-4-5")
    text = as_text(make_plan(options, program.inputs_of(disk, options.input), Assumptions()))

    assert "jobs          60\n" in text
    assert "USD (prices of" in text
    assert "bottleneck    requests" in text
    assert text.endswith("nothing was sent")


def test_an_input_that_can_be_read_only_once_is_not_planned() -> None:
    disk = program.new_disk(b"")
    options = RunOptions.of(program.INPUT, simulate=True)
    inputs = program.inputs_of(disk, options.input)
    stream = attrs.evolve(inputs.files[0], size=None)

    with pytest.raises(RunRefused, match="regular file"):
        make_plan(options, attrs.evolve(inputs, files=[stream]), Assumptions())
