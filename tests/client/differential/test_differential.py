"""The same exchanges with headrace_client and with the reference: what can be seen of them is the same.

Equal means equal in every aspect, except in those that `differences` names; in these they must differ.
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
def test_the_blocking_clients_differ_only_where_they_shall(exchange: Exchange) -> None:
    found = differences(exchange, (OURS, THEIRS))

    assert {name: found.get(name) for name in found.keys() ^ justified(exchange.name, DIFFERENCES)} == {}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_asynchronous_clients_differ_only_where_they_shall(exchange: Exchange) -> None:
    found = differences(exchange, (ASYNC_OURS, ASYNC_THEIRS))

    assert {
        name: found.get(name) for name in found.keys() ^ justified(exchange.name, ASYNC_DIFFERENCES)
    } == {}


@pytest.mark.parametrize("known", ASYNC_DIFFERENCES, ids=lambda known: known.exchanges)
def test_every_named_difference_is_about_some_exchange(known: Difference) -> None:
    assert any(known.covers(exchange.name) for exchange in EXCHANGES)


def test_the_telemetry_that_is_not_compared_still_differs() -> None:
    exchange = next(exchange for exchange in EXCHANGES if exchange.name == "verb get")
    ours, theirs = (observed(exchange, side) for side in (OURS, THEIRS))

    assert differing(ours, theirs).keys() == {f"header:{name}" for name in TELEMETRY}


def test_exchanges_have_names_of_their_own() -> None:
    assert len({exchange.name for exchange in EXCHANGES}) == len(EXCHANGES)
