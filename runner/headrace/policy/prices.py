"""What tokens cost: a short, dated list of prices by model. Pure, except that `own_prices` reads a file.

A list is TOML: a date, a currency, and a table for each model with its prices per million tokens:

    as_of = "2025-10-01"
    currency = "USD"
    [models."claude-sonnet-4"]
    input = 3.0
    output = 15.0
    cache_read = 0.3         # default: the same as input
    cache_creation = 3.75    # default: the same as input
    cache_creation_1h = 6.0  # an entry kept for an hour; default: 1.6 times cache_creation
    [service_tiers]          # factors for all prices, by the tier that an answer names; the defaults:
    flex = 0.5
    batch = 0.5
    priority = 2.0
    fast = 2.0               # the name of OpenAI's priority since July 2026

A model is looked up by its full name, then by its name without the date at the end. A new model whose name
merely begins like an older one has no price until the list has an entry for it.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Final

import attrs
import msgspec

from headrace._exceptions import RunRefused
from headrace.job import JobRequest, Usage

_MILLION = 1e6
_DATE = re.compile(r"-(\d{8}|\d{4}-\d\d-\d\d|latest)$")
"""The end of a dated name: claude-sonnet-4-5-20250929, gpt-4o-2024-08-06, claude-3-5-haiku-latest."""


_NotNegative = Annotated[float, msgspec.Meta(ge=0, le=1e12)]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: _NotNegative
    output: _NotNegative
    cache_read: _NotNegative | None = None
    cache_creation: _NotNegative | None = None
    cache_creation_1h: _NotNegative | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    as_of: str
    currency: str = "USD"
    models: dict[str, _Entry]
    service_tiers: dict[str, _NotNegative] = {}


SERVICE_TIERS: Final[Mapping[str, float]] = {"flex": 0.5, "batch": 0.5, "priority": 2.0, "fast": 2.0}
"""What a service tier does to every price. Any other tier has the prices of the list.

https://platform.openai.com/docs/pricing, https://docs.anthropic.com/en/api/service-tiers
"""
_ANY_TIER: Final = frozenset({"auto"})
"""Requests for whichever tier the project or account has."""
_HOUR_FACTOR: Final = 1.6
"""A cache entry for an hour costs 2 times the input, one for five minutes 1.25 times."""


@attrs.frozen(kw_only=True)
class Price:
    """The prices of one model, per token."""

    input: float
    output: float
    cache_read: float
    cache_creation: float
    cache_creation_1h: float = attrs.field(
        default=attrs.Factory(lambda self: self.cache_creation * _HOUR_FACTOR, takes_self=True)
    )
    service_tiers: Mapping[str, float] = SERVICE_TIERS

    def of(self, usage: Usage) -> float:
        """Return what a request with this usage cost. What is unknown counts as nothing."""
        return self.tier_factor(usage.service_tier) * self._standard_cost(usage)

    def _standard_cost(self, usage: Usage) -> float:
        return (
            (usage.input or 0) * self.input
            + (usage.output or 0) * self.output
            + usage.cache_read * self.cache_read
            + (usage.cache_creation - usage.cache_creation_1h) * self.cache_creation
            + usage.cache_creation_1h * self.cache_creation_1h
        )

    def tier_factor(self, tier: str | None) -> float:
        """Return what a service tier multiplies every price by. None: the standard tier."""
        return 1.0 if tier is None else self.service_tiers.get(tier.strip().lower(), 1.0)

    def highest_tier_factor(self, tier: str | None) -> float:
        """Return the highest factor that a request for a service tier may have to pay.

        A discount is not certain before the answer names it. ``auto`` may be any tier. A body without a tier
        gets the standard one, unless the provider's settings say otherwise.
        """
        if tier is not None and tier.strip().lower() in _ANY_TIER:
            return max(1.0, *self.service_tiers.values())
        return max(1.0, self.tier_factor(tier))

    def max_input_cost(self, body: bytes) -> float:
        """Return the maximum cost of a request's input: no token is shorter than a byte."""
        creation = self.cache_creation_1h if b'"1h"' in body else self.cache_creation
        return len(body) * max(self.input, creation)

    def max_cost(self, request: JobRequest) -> float:
        """Return the maximum cost of a request; infinity if nothing limits its output."""
        if request.max_output is None:
            return math.inf
        cost = self.max_input_cost(request.body) + request.max_output * self.output
        return cost * self.highest_tier_factor(request.service_tier)

    def settled_cost(self, request: JobRequest, usage: Usage) -> float:
        """Return what an answer to a request cost. What it does not say counts at its maximum."""
        cost = self._standard_cost(usage)
        if usage.input is None:
            cost += self.max_input_cost(request.body)
        if usage.output is None:
            cost += (request.max_output or 0) * self.output
        if usage.service_tier is None:
            return cost * self.highest_tier_factor(request.service_tier)
        return cost * self.tier_factor(usage.service_tier)


@attrs.frozen(kw_only=True)
class PriceList:
    """The prices of models, by name."""

    as_of: str
    currency: str
    models: Mapping[str, Price]

    def price(self, model: str) -> Price | None:
        """Return the prices of a model; None if it is not in the list."""
        return self.models.get(model) or self.models.get(_DATE.sub("", model))

    def price_or_highest(self, model: str) -> Price:
        """Return the prices of a model, or the highest ones of the list if it is not there."""
        known, prices = self.price(model), self.models.values()
        return known or Price(
            input=max((price.input for price in prices), default=0.0),
            output=max((price.output for price in prices), default=0.0),
            cache_read=max((price.cache_read for price in prices), default=0.0),
            cache_creation=max((price.cache_creation for price in prices), default=0.0),
            cache_creation_1h=max((price.cache_creation_1h for price in prices), default=0.0),
            service_tiers=next((price.service_tiers for price in prices), SERVICE_TIERS),
        )


def read_prices(text: str, name: str) -> PriceList:
    """Read a price list. Raises `RunRefused` if it is not valid. ``name``: of the file, for the message."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File, strict=False, builtin_types=())
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RunRefused(f"{name} is not a valid price list: {error}") from error
    tiers = {**SERVICE_TIERS, **{tier.lower(): factor for tier, factor in file.service_tiers.items()}}
    models = {model: _price(entry, tiers) for model, entry in file.models.items()}
    return PriceList(as_of=file.as_of, currency=file.currency, models=models)


@cache
def own_prices() -> PriceList:
    """Return the price list that comes with headrace."""
    path = Path(__file__).with_name("prices.toml")
    return read_prices(path.read_text(encoding="utf-8"), path.name)


def _price(entry: _Entry, service_tiers: Mapping[str, float]) -> Price:
    read = entry.input if entry.cache_read is None else entry.cache_read
    creation = entry.input if entry.cache_creation is None else entry.cache_creation
    hourly = creation * _HOUR_FACTOR if entry.cache_creation_1h is None else entry.cache_creation_1h
    return Price(
        input=entry.input / _MILLION,
        output=entry.output / _MILLION,
        cache_read=read / _MILLION,
        cache_creation=creation / _MILLION,
        cache_creation_1h=hourly / _MILLION,
        service_tiers=service_tiers,
    )
