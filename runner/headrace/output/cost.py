"""What the records of an output have cost, for a budget that counts all runs with it."""

from __future__ import annotations

from headrace.dialects import read_recorded_usage
from headrace.input.lines import LineCutter
from headrace.output.output import OutputPaths
from headrace.output.repair import read_all
from headrace.output.storage import Storage
from headrace.policy.budget import cost_of
from headrace.policy.prices import PriceList


def recorded_cost(storage: Storage, paths: OutputPaths, prices: PriceList) -> float:
    """Add up what all records have cost, at 3 us each. Raises `StorageFailed`."""
    cost = 0.0
    for path in (paths.results, paths.errors):
        cutter = LineCutter()
        for piece in read_all(storage, path):
            cost += sum(cost_of(read_recorded_usage(line), prices) for line in cutter.feed(piece))
    return cost
