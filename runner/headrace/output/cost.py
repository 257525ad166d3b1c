"""What the records of an output have cost, for a budget that spans all runs with that output."""

from __future__ import annotations

from headrace.dialects import RecordedUsage, read_usage
from headrace.input.lines import LineCutter
from headrace.output.paths import OutputPaths
from headrace.output.storage import Storage, read_all
from headrace.policy.prices import PriceList


def recorded_cost(storage: Storage, paths: OutputPaths, prices: PriceList) -> float:
    """Return what all records together have cost, at 3 us per record. Raises `StorageFailed`."""
    cost = 0.0
    for path in (paths.results, paths.errors):
        cutter = LineCutter()
        for chunk in read_all(storage, path):
            cost += sum(cost_of(read_usage(line), prices) for line in cutter.feed(chunk))
    return cost


def cost_of(recorded: RecordedUsage, prices: PriceList) -> float:
    """Return what a record cost; what is not certain counts at its maximum."""
    price = prices.price_or_highest(recorded.model)
    written = max(price.input, price.cache_creation)
    unreported = recorded.unreported[0] * written + recorded.unreported[1] * price.output
    return (
        price.of(recorded.usage)
        + unreported * price.tier_factor(recorded.usage.service_tier)
        + recorded.maybe_billed * max(written, price.output)
    )
