"""An option is defined once: the command line, the keywords of the library and the values agree."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import attrs
import click
import pytest

from headrace import open_runner
from headrace._exceptions import RunRefused
from headrace.cli.plan import plan
from headrace.cli.run import options_from, run
from headrace.cli.simulate import _profile as profile_from  # pyright: ignore[reportPrivateUsage]  its defaults
from headrace.cli.simulate import simulate
from headrace.cli.verify import verify
from headrace.library._settings import FanOutOptions, RunFileOptions, RunnerOptions
from headrace.policy.options import SECTION_OF, SECTIONS, InputOptions, Limits, RunOptions
from headrace.run.assumptions import Assumptions
from headrace.simulator import Profile

LIMITS = {field.name for field in attrs.fields(Limits)}

ONLY_ON_THE_COMMAND_LINE = {
    "inputs": "the positional arguments of run_file",
    "prompt_file": "prompt, read from a file",
    "system_file": "system, read from a file",
    "dry_run": "sends nothing and prints",
    "progress": "how the command shows the run",
    "summary_json": "run_file returns the summary",
    "quiet": "how the command shows the run",
    "verbose": "a program configures logging itself",
    **dict.fromkeys(LIMITS, "a field of `limits`"),
}
ONLY_IN_PYTHON = {
    "environ": "a process has only one",
    "limits": "--rpm, --itpm, --otpm and --share",
}
NOT_FOR_A_RUNNER = {
    "input_format": "jobs are values, in the API's format: see dialect",
    "first": "the program decides which jobs to pass",
    "max_line": "there are no lines",
    "on_bad_line": "there are no lines",
    "on_duplicate": "each result goes to its own caller",
    "prompt": "a program writes its own bodies",
    "system": "a program writes its own bodies",
    "max_tokens": "a program writes its own bodies",
    "set": "a program writes its own bodies",
    "id_field": "Job.id",
    "stream": "a key of the body",
    "cache_prefix": "a key of the body",
    "keep": "Job.context",
    "ordered": "results have a position",
    "restart": "the program can move its file",
    "api_key_file": "api_key",
    "environ": "os.environ",
    "max_failures": "the program sees each failure",
    "max_cost": "the program sees each usage",
    "prices": "belongs to max_cost",
    "grace": "leaving the block aborts",
}
ONLY_FOR_A_RUNNER = {"dialect", "api_key", "on_attempt"}
BESIDE_THE_KEYWORDS = {"concurrency"}  # a parameter of its own, whose default fan_out and open_runner choose


def parameters(command: click.Command) -> dict[str, click.Parameter]:
    """The parameters of a command, by name."""
    return {parameter.name: parameter for parameter in command.params}


def defaults(command: click.Command, *arguments: str) -> dict[str, Any]:
    """What a command passes on if no option is given."""
    return command.make_context("headrace", list(arguments)).params


def test_the_command_line_has_every_option_and_no_other() -> None:
    on_the_command_line = parameters(run).keys() - ONLY_ON_THE_COMMAND_LINE.keys()

    assert on_the_command_line == SECTION_OF.keys() - ONLY_IN_PYTHON.keys()
    assert parameters(run).keys() >= ONLY_ON_THE_COMMAND_LINE.keys()


def test_run_file_takes_every_option_and_no_other() -> None:
    assert RunFileOptions.__annotations__.keys() == SECTION_OF.keys()


def test_a_runner_takes_every_option_that_makes_sense_for_one() -> None:
    shared = SECTION_OF.keys() - NOT_FOR_A_RUNNER.keys() - BESIDE_THE_KEYWORDS

    assert SECTION_OF.keys() > NOT_FOR_A_RUNNER.keys()
    assert RunnerOptions.__annotations__.keys() == shared | ONLY_FOR_A_RUNNER
    assert FanOutOptions.__annotations__.keys() == RunnerOptions.__annotations__.keys() | {"client"}


def test_every_option_is_in_one_section() -> None:
    names = [field.alias for section in SECTIONS.values() for field in attrs.fields(section)]

    assert sorted(names) == sorted({*SECTION_OF, "files"})


def test_without_options_the_command_line_runs_with_the_defaults_of_the_sections() -> None:
    given = defaults(run, "jobs.jsonl")
    options = {name: value for name, value in given.items() if name in {*SECTION_OF, *LIMITS}}
    options |= {name: given[name] for name in ("inputs", "prompt_file", "system_file")}

    assert options_from(options, {}) == RunOptions.of("jobs.jsonl")


def test_the_command_line_does_not_repeat_the_defaults_of_assumptions_and_simulator() -> None:
    assumed, served = defaults(plan, "jobs.jsonl"), defaults(simulate)
    profile = {name: served[name] for name in served.keys() - {"host", "port", "seed", "log_file"}}

    assert Assumptions() == Assumptions(
        **{field.name: assumed[field.name] for field in attrs.fields(Assumptions)}
    )
    assert profile_from(**profile) == Profile()


def test_the_help_of_open_runner_states_the_defaults() -> None:
    text = " ".join((open_runner.__doc__ or "").split())

    for name, stated in {
        "max_attempts": r"attempts per job, (\d+) by default",
        "timeout": r"``timeout`` for an attempt \((\d+)\)",
        "idle_timeout": r"``idle_timeout`` for an attempt without data \((\d+)\)",
        "max_wait": r"until all open jobs fail \((\d+)\)",
    }.items():
        [number] = re.findall(stated, text)
        assert float(number) == getattr(getattr(RunOptions(), SECTION_OF[name]), name)


@pytest.mark.parametrize("command", [run, plan, verify, simulate])
def test_every_option_has_one_line_of_help(command: click.Command) -> None:
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
            assert "\n" not in parameter.help
            assert parameter.help.endswith((".", "]", "a,b.c")), parameter.help


def test_options_are_sorted_into_sections() -> None:
    options = RunOptions.of("a.jsonl", Path("b.jsonl"), max_wait=5.0, output="out.jsonl", limits=None)

    assert options.input.files == ("a.jsonl", "b.jsonl")
    assert options.stop.max_wait == 5.0
    assert options.output.path == options.output_path == Path("out.jsonl")
    assert options.pacing.limits == Limits()


def test_an_unknown_option_is_a_type_error_that_names_the_closest() -> None:
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'max_wiat'; did you mean 'max_wait'\?"):
        RunOptions.of("jobs.jsonl", max_wiat=5.0)
    with pytest.raises(TypeError, match=r"unexpected keyword argument 'zzz'$"):
        RunOptions.of("jobs.jsonl", zzz=1)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"max_wait": -1}, "max_wait=-1: must be at least 0"),
        ({"grace": math.nan}, "grace=nan: must be at least 0"),
        ({"timeout": 0}, "timeout=0: must be above 0"),
        ({"max_attempts": "5"}, "max_attempts='5': must be a number"),
        ({"first": 0}, "first=0: must be at least 1"),
        ({"concurrency": 0}, "concurrency=0: must be 'auto' or a number from 1 to 100,000"),
        ({"concurrency": "all"}, "concurrency='all': must be 'auto' or"),
        ({"on_change": "ask"}, "on_change='ask': must be one of refuse, rerun, skip"),
        ({"max_failures": "some"}, r"--max-failures 'some' \(max_failures\): give a number"),
        ({"max_failures": "101%"}, "or a share such as 5%"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_by_name(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(RunRefused, match=problem):
        RunOptions.of("jobs.jsonl", **given)


def test_max_failures_is_a_number_or_a_share_of_the_jobs() -> None:
    assert RunOptions.of().stop.failures_allowed(None) == math.inf
    assert RunOptions.of(max_failures="50").stop.failures_allowed(None) == 50
    assert RunOptions.of(max_failures="5%").stop.failures_allowed(200) == 10
    with pytest.raises(RunRefused, match="counted first"):
        RunOptions.of(max_failures="5%").stop.failures_allowed(None)


def test_results_are_named_after_the_first_input() -> None:
    assert InputOptions(files=("in/jobs.jsonl", "more.jsonl")).default_output() == Path("jobs.results.jsonl")
    with pytest.raises(RunRefused, match="-o FILE"):
        InputOptions(files=("-",)).default_output()
