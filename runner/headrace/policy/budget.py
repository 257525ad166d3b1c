"""A budget that cannot be passed: what is in flight counts at its worst until it is known. Pure."""

from __future__ import annotations

import math

import attrs

from headrace.dialects import RecordedUsage
from headrace.job import JobRequest, Usage
from headrace.policy.prices import PriceList


def cost_of(recorded: RecordedUsage, prices: PriceList) -> float:
    """What a record has cost; attempts that may have been billed count at their worst."""
    price = prices.price_at_worst(recorded.model)
    return price.of(recorded.usage) + recorded.maybe_billed * max(
        price.input, price.cache_creation, price.output
    )


def no_price(model: str, prices: PriceList) -> str:
    """Say that a budget cannot count what a model costs, for people."""
    known = f"the list of {prices.as_of} has none for the model {model!r}"
    return f"--max-cost needs prices, and {known}: give a list that has one by --prices"


@attrs.define(kw_only=True)
class Budget:
    """Money for all runs with one output, in the currency of its prices.

    ``spent`` counts what can no longer be avoided, what earlier runs have spent included.
    """

    limit: float
    prices: PriceList
    spent: float = 0.0
    at_risk: float = 0.0
    """What all that is in flight can cost at most."""

    def worst(self, request: JobRequest) -> float:
        """What a request can cost at most; infinity if it has no price, or no bound on its output."""
        price = self.prices.price(request.model)
        if price is None or request.max_tokens is None:
            return math.inf
        return price.at_worst(len(request.body), request.max_tokens)

    def fits(self, request: JobRequest) -> bool:
        """Whether a request can be sent whatever it and all that is in flight come to cost."""
        return self.spent + self.at_risk + self.worst(request) <= self.limit

    def admitted(self, request: JobRequest) -> None:
        """Note that a request is sent."""
        self.at_risk += self.worst(request)

    def succeeded(self, request: JobRequest, usage: Usage) -> None:
        """Note what it has cost."""
        price = self.prices.price(request.model)
        self._settle(request, price.of(usage) if price is not None else 0.0)

    def failed(self, request: JobRequest, *, maybe_billed: bool) -> None:
        """Note a failure: one whose request may have been worked on counts at its worst."""
        self._settle(request, self.worst(request) if maybe_billed else 0.0)

    def refusal(self, request: JobRequest) -> str:
        """Say why nothing more is sent, for people."""
        currency, worst = self.prices.currency, self.worst(request)
        if self.prices.price(request.model) is None:
            return no_price(request.model, self.prices)
        if math.isinf(worst):
            return "--max-cost: a job that does not limit its output can cost any sum; give --max-tokens"
        return (
            f"{self.spent:,.4f} {currency} are spent, and the next job may cost {worst:,.4f}: more than the"
            f" --max-cost of {self.limit:,.2f}; run the same command again with a larger one"
        )

    def _settle(self, request: JobRequest, cost: float) -> None:
        self.at_risk = max(0.0, self.at_risk - self.worst(request))
        self.spent += cost
