"""`headrace plan`: how long a file will take, what it will cost, what will bind, before it is sent."""

from __future__ import annotations

import os
from typing import Any

import click

from ._numbers import NOT_NEGATIVE, POSITIVE
from ._report import clear_errors, print_output
from .run import input_options, options_from, pacing_options, price_option, request_options
from .simulate import as_range


@click.command()
@input_options
@request_options
@pacing_options
@price_option
@click.option(
    "--latency",
    type=NOT_NEGATIVE,
    default=1.0,
    metavar="S",
    help="Seconds to the first token.",
)
@click.option(
    "--tokens-per-second",
    type=POSITIVE,
    default=80.0,
    metavar="N",
    help="How fast one answer comes out.",
)
@click.option(
    "--output-tokens",
    default="50-500",
    callback=as_range,
    metavar="N-M",
    help="How long answers are.",
)
@click.option(
    "--burst",
    type=POSITIVE,
    default=1.0,
    metavar="S",
    help="Seconds' worth of each limit that may be used at once.",
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

    --rpm, --itpm and --otpm are the limits that the server is taken to have.
    """
    from headrace.input.files import open_inputs
    from headrace.run.plan import Assumptions, as_text, make_plan

    with clear_errors():
        options = options_from({**given, "keep": None, "max_failures": None, "simulate": True}, os.environ)
        assumed = Assumptions(
            latency=latency,
            tokens_per_second=tokens_per_second,
            output_tokens=output_tokens,
            burst=burst,
        )
        inputs = open_inputs(options.inputs, first=options.first, max_line=options.max_line)
        print_output(as_text(make_plan(options, inputs, assumed)))
