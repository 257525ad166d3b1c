"""`headrace run --dry-run`: the first request as it would be sent, and the totals of the whole input."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import msgspec

from headrace._exceptions import BadLine
from headrace.dialects import Dialect
from headrace.input.files import Inputs
from headrace.job import CHARACTERS_PER_TOKEN, JobRequest
from headrace.policy.prices import PriceList
from headrace.run.endpoint import Endpoint
from headrace.run.format import cost_text
from headrace.run.preparation import Prepared


@attrs.define(kw_only=True)
class Forecast:
    """The totals of an input, before anything is sent."""

    jobs: int = 0
    bad_lines: int = 0
    characters: int = 0
    """In all request bodies."""
    max_tokens: int = 0
    """The most output tokens of all jobs that limit them, with all of their choices."""
    unbounded: int = 0
    """Jobs that do not limit their answer."""
    first: JobRequest | None = None
    first_problem: str | None = None

    @property
    def input_tokens(self) -> int:
        """An estimate: only the provider knows its tokenizer."""
        return self.characters // CHARACTERS_PER_TOKEN

    def take(self, request: JobRequest) -> None:
        """Count one job."""
        self.first = self.first or request
        self.jobs += 1
        self.characters += len(request.body)
        if request.max_output is None:
            self.unbounded += 1
        else:
            self.max_tokens += request.max_output

    def take_bad_line(self, place: str, error: BadLine) -> None:
        """Count a line that cannot be parsed."""
        self.first_problem = self.first_problem or f"{place}: {error}"
        self.bad_lines += 1


def forecast(inputs: Inputs, dialect: Dialect) -> Forecast:
    """Read all jobs of a rereadable input."""
    total = Forecast()
    for lines in inputs.scan():
        for line in lines:
            try:
                total.take(dialect.lines.read(line.text))
            except BadLine as error:
                total.take_bad_line(inputs.name_of(line), error)
    return total


def preview(prepared: Prepared, total: Forecast, prices: PriceList) -> str:
    """Return what would be sent, as text for a terminal. The values of secret headers are left out."""
    return "\n".join(_lines(prepared.dialect, prepared.endpoint, total, prices))


def _lines(dialect: Dialect, endpoint: Endpoint, total: Forecast, prices: PriceList) -> Iterator[str]:
    if total.first is not None:
        yield f"POST {endpoint.base_url}{total.first.path}"
        for name, value in endpoint.headers.items():
            yield f"{name}: {'(secret)' if any(secret in value for secret in endpoint.secrets) else value}"
        yield ""
        yield msgspec.json.format(total.first.body, indent=2).decode()
        yield ""
    yield f"format        {dialect.lines.name}"
    yield f"jobs          {total.jobs:,}"
    if total.bad_lines:
        yield f"bad lines     {total.bad_lines:,}; the first: {total.first_problem}"
    yield f"input tokens  about {total.input_tokens:,} ({CHARACTERS_PER_TOKEN} characters per token)"
    yield f"output tokens at most {total.max_tokens:,}{_unbounded(total)}"
    if cost := _cost(total, prices):
        yield f"cost          {cost}"
    yield "nothing was sent"


def _cost(total: Forecast, prices: PriceList) -> str | None:
    """The highest cost if every job uses the model and tier of the first one; None without a price."""
    if total.first is None or total.unbounded or (price := prices.price(total.first.model)) is None:
        return None
    highest = total.input_tokens * price.input + total.max_tokens * price.output
    highest *= price.highest_tier_factor(total.first.service_tier)
    return f"at most {cost_text(highest, prices)}"


def _unbounded(total: Forecast) -> str:
    return f", plus {total.unbounded:,} jobs without max_tokens" if total.unbounded else ""
