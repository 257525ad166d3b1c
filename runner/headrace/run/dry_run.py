"""`headrace run --dry-run`: the first request as it would be sent, and what the whole input amounts to."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import msgspec

from headrace._exceptions import BadLine
from headrace.dialects import Dialect
from headrace.input.files import Inputs
from headrace.job import CHARACTERS_PER_TOKEN, JobRequest
from headrace.policy.prices import own_prices
from headrace.run.endpoint import Endpoint
from headrace.run.preparation import Prepared


@attrs.define(kw_only=True)
class Forecast:
    """What an input amounts to, before anything is sent."""

    jobs: int = 0
    bad_lines: int = 0
    characters: int = 0
    """Of all request bodies."""
    max_tokens: int = 0
    """The sum of what the answers may cost at most, of those that say."""
    unbounded: int = 0
    """Jobs that do not limit their answer."""
    first: JobRequest | None = None
    first_problem: str | None = None

    @property
    def input_tokens(self) -> int:
        """An estimate: the provider's tokenizer counts otherwise."""
        return self.characters // CHARACTERS_PER_TOKEN

    def take(self, request: JobRequest) -> None:
        """Count one job."""
        self.first = self.first or request
        self.jobs += 1
        self.characters += len(request.body)
        if request.max_tokens is None:
            self.unbounded += 1
        else:
            self.max_tokens += request.max_tokens

    def take_bad_line(self, place: str, error: BadLine) -> None:
        """Count a line that is no job."""
        self.first_problem = self.first_problem or f"{place}: {error}"
        self.bad_lines += 1


def forecast(inputs: Inputs, dialect: Dialect) -> Forecast:
    """Read all jobs of an input that can be read twice."""
    total = Forecast()
    for lines in inputs.scan():
        for line in lines:
            try:
                total.take(dialect.lines.read(line.text))
            except BadLine as error:
                total.take_bad_line(inputs.name_of(line), error)
    return total


def preview(prepared: Prepared, total: Forecast) -> str:
    """Lay out what would be sent, for a terminal. Values of secret headers are not shown."""
    return "\n".join(_lines(prepared.dialect, prepared.endpoint, total))


def _lines(dialect: Dialect, endpoint: Endpoint, total: Forecast) -> Iterator[str]:
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
        yield f"no jobs       {total.bad_lines:,}, the first: {total.first_problem}"
    yield f"input tokens  about {total.input_tokens:,} ({CHARACTERS_PER_TOKEN} characters a token)"
    yield f"output tokens at most {total.max_tokens:,}{_unbounded(total)}"
    if cost := _cost(total):
        yield f"cost          {cost}"
    yield "nothing was sent"


def _cost(total: Forecast) -> str | None:
    """What it all costs at most if every job is of the first one's model; None if that has no price."""
    prices = own_prices()
    price = None if total.first is None else prices.price(total.first.model)
    if price is None or total.unbounded:
        return None
    most = total.input_tokens * price.input + total.max_tokens * price.output
    return f"at most about {most:,.2f} {prices.currency} (prices of {prices.as_of})"


def _unbounded(total: Forecast) -> str:
    return f", and {total.unbounded:,} jobs do not say" if total.unbounded else ""
