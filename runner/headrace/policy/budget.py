"""A budget that is never exceeded: what is in flight counts at its maximum cost until it ends. Pure."""

from __future__ import annotations

import math

import attrs

from headrace.job import JobRequest, Usage
from headrace.policy.prices import PriceList


def no_price(model: str, prices: PriceList) -> str:
    """Return the message for a budget with a model that has no price."""
    return f"no price for model {model!r} (price list of {prices.as_of}): supply one with --prices FILE"


def no_maximum_cost(request: JobRequest, prices: PriceList) -> str | None:
    """Return why a request has no maximum cost, and what to do about it; None if it has one."""
    if prices.price(request.model) is None:
        return no_price(request.model, prices)
    if request.max_tokens is None:
        name = request.limit_name
        return f"nothing limits the output of this job: set {name} in its body, or use --set {name}=NUMBER"
    return None


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
        return math.inf if price is None else price.max_cost(request)

    def fits(self, request: JobRequest) -> bool:
        """Whether the limit holds even if the request and everything in flight cost their maximum."""
        return self.spent + self.at_risk + self.max_cost(request) <= self.limit

    def admitted(self, request: JobRequest) -> None:
        """Note that a request is sent."""
        self.at_risk += self.max_cost(request)

    def succeeded(self, request: JobRequest, usage: Usage) -> None:
        """Note what a request used. What the answer does not say counts at its maximum."""
        price = self.prices.price(request.model)
        self._settle(request, price.settled_cost(request, usage) if price is not None else 0.0)

    def failed(self, request: JobRequest, *, maybe_billed: bool) -> None:
        """Note a failure; if it may have been billed it counts at its maximum."""
        self._settle(request, self.max_cost(request) if maybe_billed else 0.0)

    def refusal(self, request: JobRequest) -> str:
        """Return the message for a request that does not fit."""
        currency, worst = self.prices.currency, self.max_cost(request)
        if (problem := no_maximum_cost(request, self.prices)) is not None:
            return f"--max-cost: {problem}"
        return (
            f"--max-cost {self.limit:,.10g}: {self.spent:,.4f} {currency} are spent and the next job may cost"
            f" {worst:,.4f}. Raise --max-cost, then run the same command again."
        )

    def _settle(self, request: JobRequest, cost: float) -> None:
        self.at_risk = max(0.0, self.at_risk - self.max_cost(request))
        self.spent += cost
