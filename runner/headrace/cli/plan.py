"""`headrace plan`: how long a file will take, what it will cost, and what will be the bottleneck."""

from __future__ import annotations

import os
from typing import Any

import cloup

from headrace.run.assumptions import Assumptions

from ._command import command
from ._options import (
    input_argument,
    input_options,
    option,
    pacing_options,
    price_option,
    request_options,
)
from ._types import read_range
from .run import options_from


@command(
    "headrace plan jobs.jsonl --rpm 4000 --otpm 400000",
    "headrace plan rows.jsonl --prompt '{question}' --model NAME --max-tokens 100 --rpm 50",
)
@input_argument
@input_options
@request_options
@pacing_options
@cloup.option_group(
    "Assumptions",
    option(Assumptions, "latency", metavar="SECONDS", help="Time until the first token of an answer."),
    option(Assumptions, "tokens_per_second", metavar="N", help="How fast one answer is generated."),
    option(Assumptions, "output_tokens", callback=read_range, metavar="N-M", help="Length of the answers."),
    option(
        Assumptions,
        "burst",
        metavar="SECONDS",
        help="How much of each limit can be used at once: its rate times this.",
    ),
    price_option,
)
def plan(
    *,
    latency: float,
    tokens_per_second: float,
    output_tokens: tuple[int, int],
    burst: float,
    **given: Any,
) -> None:
    """Rehearse the run of the job files INPUT in virtual time, against the simulator. Nothing is sent.

    --rpm, --itpm and --otpm are the limits that the server is assumed to have.
    """
    from headrace.input.files import open_inputs
    from headrace.run.plan import as_text, make_plan

    from ._report import clear_errors, print_output

    with clear_errors():
        options = options_from({**given, "simulate": True}, os.environ)
        assumed = Assumptions(
            latency=latency,
            tokens_per_second=tokens_per_second,
            output_tokens=output_tokens,
            burst=burst,
        )
        inputs = open_inputs(options.input.files, first=options.input.first, max_line=options.input.max_line)
        print_output(as_text(make_plan(options, inputs, assumed)))
