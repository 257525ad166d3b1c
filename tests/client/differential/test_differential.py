"""The same exchanges with headrace_client and with the reference SDK are equal in every aspect.

Only the aspects in `differences` differ, and they must.
"""

from __future__ import annotations

import pytest

from . import answers, failures, resources, sending, streams
from .comparison import differences, observed
from .differences import ASYNC_DIFFERENCES, DIFFERENCES, TELEMETRY, Difference, justified
from .exchange import ASYNC_OURS, ASYNC_THEIRS, OURS, THEIRS, Exchange
from .observation import differing

EXCHANGES = (
    *failures.EXCHANGES,
    *sending.EXCHANGES,
    *answers.EXCHANGES,
    *streams.EXCHANGES,
    *resources.EXCHANGES,
)


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_blocking_clients_differ_only_as_listed(exchange: Exchange) -> None:
    found = differences(exchange, (OURS, THEIRS))

    assert {name: found.get(name) for name in found.keys() ^ justified(exchange.name, DIFFERENCES)} == {}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_asynchronous_clients_differ_only_as_listed(exchange: Exchange) -> None:
    found = differences(exchange, (ASYNC_OURS, ASYNC_THEIRS))

    assert {
        name: found.get(name) for name in found.keys() ^ justified(exchange.name, ASYNC_DIFFERENCES)
    } == {}


@pytest.mark.parametrize("known", ASYNC_DIFFERENCES, ids=lambda known: known.exchanges)
def test_every_listed_difference_covers_an_exchange(known: Difference) -> None:
    assert any(known.covers(exchange.name) for exchange in EXCHANGES)


def test_the_headers_that_are_not_compared_differ() -> None:
    exchange = next(exchange for exchange in EXCHANGES if exchange.name == "verb get")
    ours, theirs = (observed(exchange, side) for side in (OURS, THEIRS))

    assert differing(ours, theirs).keys() == {f"header:{name}" for name in TELEMETRY}


def test_the_names_of_exchanges_are_unique() -> None:
    assert len({exchange.name for exchange in EXCHANGES}) == len(EXCHANGES)
