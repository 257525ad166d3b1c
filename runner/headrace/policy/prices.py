"""What tokens cost: a short, dated list of prices by model. Pure, except that `own_prices` reads a file.

A list is TOML: a date, a currency, and a table for each model with its prices per million tokens:

    as_of = "2025-10-01"
    currency = "USD"
    [models."claude-sonnet-4"]
    input = 3.0
    output = 15.0
    cache_read = 0.3         # default: the same as input
    cache_creation = 3.75    # default: the same as input

A model is looked up by its full name, then by its name without the date at the end. A new model whose name
merely begins like an older one has no price until the list has an entry for it.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import attrs
import msgspec

from headrace._exceptions import RunRefused
from headrace.job import Usage

_MILLION = 1e6
_DATE = re.compile(r"-(\d{8}|\d{4}-\d\d-\d\d|latest)$")
"""The end of a dated name: claude-sonnet-4-5-20250929, gpt-4o-2024-08-06, claude-3-5-haiku-latest."""


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    input: float
    output: float
    cache_read: float | None = None
    cache_creation: float | None = None


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    as_of: str
    currency: str = "USD"
    models: dict[str, _Entry]


@attrs.frozen(kw_only=True)
class Price:
    """The prices of one model, per token."""

    input: float
    output: float
    cache_read: float
    cache_creation: float

    def of(self, usage: Usage) -> float:
        """Return what a request with this usage cost."""
        return (
            usage.input * self.input
            + usage.output * self.output
            + usage.cache_read * self.cache_read
            + usage.cache_creation * self.cache_creation
        )

    def max_cost(self, size: int, max_tokens: int) -> float:
        """Return the maximum cost of a request of ``size`` bytes: no token is shorter than a byte."""
        return size * max(self.input, self.cache_creation) + max_tokens * self.output


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
        )


def read_prices(text: str, name: str) -> PriceList:
    """Read a price list. Raises `RunRefused` if it is not valid. ``name``: of the file, for the message."""
    try:
        file = msgspec.convert(tomllib.loads(text), _File, strict=False, builtin_types=())
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise RunRefused(f"{name} is not a valid price list: {error}") from error
    models = {model: _price(entry) for model, entry in file.models.items()}
    return PriceList(as_of=file.as_of, currency=file.currency, models=models)


@cache
def own_prices() -> PriceList:
    """Return the price list that comes with headrace."""
    path = Path(__file__).with_name("prices.toml")
    return read_prices(path.read_text(encoding="utf-8"), path.name)


def _price(entry: _Entry) -> Price:
    read = entry.input if entry.cache_read is None else entry.cache_read
    creation = entry.input if entry.cache_creation is None else entry.cache_creation
    return Price(
        input=entry.input / _MILLION,
        output=entry.output / _MILLION,
        cache_read=read / _MILLION,
        cache_creation=creation / _MILLION,
    )
