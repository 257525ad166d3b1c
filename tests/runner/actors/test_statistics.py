"""The quantiles of the histogram, compared with the sorted values themselves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.actors.statistics import Histogram, Latency

SECONDS = st.floats(min_value=1e-5, max_value=1e5)


@settings(deadline=None, derandomize=True)
@given(st.lists(SECONDS, min_size=1), st.sampled_from([0.0, 0.5, 0.95, 0.99, 1.0]))
def test_quantiles_are_within_one_percent(values: list[float], q: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.add(value)

    exact = sorted(values)[int(q * (len(values) - 1))]
    assert histogram.quantile(q) == pytest.approx(exact, rel=0.0101)


def test_zero_counts_as_the_smallest_value() -> None:
    histogram = Histogram()
    histogram.add(0.0)

    quantile = histogram.quantile(0.5)
    assert quantile is not None
    assert quantile < 2e-6


def test_without_measurements_there_are_no_quantiles() -> None:
    assert Latency.of(Histogram()) == Latency(p50=None, p95=None, p99=None)
