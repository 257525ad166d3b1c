"""A budget that is never exceeded: what is in flight counts at its maximum cost until it ends. Pure."""

from __future__ import annotations

import math

import attrs

from headrace.job import JobRequest, Usage
from headrace.policy.prices import PriceList


def no_price(model: str, prices: PriceList) -> str:
    """Return the message for a budget with a model that has no price."""
    return (
        f"--max-cost: no price for model {model!r} (price list of {prices.as_of})."
        " Supply one with --prices FILE."
    )


@attrs.define(kw_only=True)
class Budget:
    """An amount for all runs with one output, in the currency of its prices."""

    limit: float
    prices: PriceList
    spent: float = 0.0
    """By this run and by earlier ones, including failed attempts that may have been billed."""
    at_risk: float = 0.0
    """The maximum cost of everything in flight."""

    def max_cost(self, request: JobRequest) -> float:
        """Return a request's maximum cost; infinity without a price, or without a limit on its output."""
        price = self.prices.price(request.model)
        if price is None or request.max_tokens is None:
            return math.inf
        return price.max_cost(len(request.body), request.max_tokens)

    def fits(self, request: JobRequest) -> bool:
        """Whether the limit holds even if the request and everything in flight cost their maximum."""
        return self.spent + self.at_risk + self.max_cost(request) <= self.limit

    def admitted(self, request: JobRequest) -> None:
        """Note that a request is sent."""
        self.at_risk += self.max_cost(request)

    def succeeded(self, request: JobRequest, usage: Usage) -> None:
        """Note what a request used."""
        price = self.prices.price(request.model)
        self._settle(request, price.of(usage) if price is not None else 0.0)

    def failed(self, request: JobRequest, *, maybe_billed: bool) -> None:
        """Note a failure; if it may have been billed it counts at its maximum."""
        self._settle(request, self.max_cost(request) if maybe_billed else 0.0)

    def refusal(self, request: JobRequest) -> str:
        """Return the message for a request that does not fit."""
        currency, worst = self.prices.currency, self.max_cost(request)
        if self.prices.price(request.model) is None:
            return no_price(request.model, self.prices)
        if math.isinf(worst):
            return "--max-cost: a job that does not limit its output has no maximum cost. Set --max-tokens."
        return (
            f"--max-cost {self.limit:,.10g}: {self.spent:,.4f} {currency} are spent and the next job may cost"
            f" {worst:,.4f}. Raise --max-cost, then run the same command again."
        )

    def _settle(self, request: JobRequest, cost: float) -> None:
        self.at_risk = max(0.0, self.at_risk - self.max_cost(request))
        self.spent += cost
