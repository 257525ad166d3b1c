"""Under a budget, only jobs with a maximum cost are sent: a model with a price, and a limit on the output."""

from __future__ import annotations

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import LineFormat
from headrace.input.files import Inputs
from headrace.job import JobRequest
from headrace.policy.budget import no_maximum_cost
from headrace.policy.prices import PriceList


def require_maximum_cost(request: JobRequest, prices: PriceList) -> None:
    """Raise `BadLine` if nothing limits what a request may cost."""
    problem = no_maximum_cost(request, prices)
    if problem is not None:
        raise BadLine(f"--max-cost: {problem}")


def refuse_unlimited_jobs(inputs: Inputs, line_format: LineFormat, prices: PriceList) -> None:
    """Read all lines of a rereadable input. Raises `RunRefused` for the first job without a maximum cost.

    Lines that cannot be parsed get their error records later.
    """
    for lines in inputs.scan():
        for line in lines:
            try:
                request = line_format.read(line.text)
            except BadLine:
                continue
            try:
                require_maximum_cost(request, prices)
            except BadLine as error:
                raise RunRefused(f"{inputs.name_of(line)}: {error}; nothing was sent") from None
