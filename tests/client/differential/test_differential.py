"""The same exchanges with headrace_client and with the reference: what can be seen of them is the same.

Equal means equal in every aspect, except in those that `differences` names; in these they must differ.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from . import answers, failures, resources, sending, streams
from .differences import ASYNC_DIFFERENCES, DIFFERENCES, TELEMETRY, Difference, justified
from .exchange import ASYNC_OURS, ASYNC_THEIRS, OURS, THEIRS, Exchange, Side
from .observation import differing, observe

EXCHANGES = (
    *failures.EXCHANGES,
    *sending.EXCHANGES,
    *answers.EXCHANGES,
    *streams.EXCHANGES,
    *resources.EXCHANGES,
)


def observed(exchange: Exchange, side: Side, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    with monkeypatch.context() as patches:
        return anyio.run(partial(observe, exchange, side, patches))


def differences(
    exchange: Exchange, sides: tuple[Side, Side], monkeypatch: pytest.MonkeyPatch
) -> dict[str, Any]:
    """Return the aspects in which the two packages differ, telemetry left out."""
    ours, theirs = (observed(exchange, side, monkeypatch) for side in sides)
    found = differing(ours, theirs)
    return {name: pair for name, pair in found.items() if name.removeprefix("header:") not in TELEMETRY}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_blocking_clients_differ_only_where_they_shall(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = differences(exchange, (OURS, THEIRS), monkeypatch)

    assert {name: found.get(name) for name in found.keys() ^ justified(exchange.name, DIFFERENCES)} == {}


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.name)
def test_the_asynchronous_clients_differ_only_where_they_shall(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = differences(exchange, (ASYNC_OURS, ASYNC_THEIRS), monkeypatch)

    assert {
        name: found.get(name) for name in found.keys() ^ justified(exchange.name, ASYNC_DIFFERENCES)
    } == {}


@pytest.mark.parametrize("known", ASYNC_DIFFERENCES, ids=lambda known: known.exchanges)
def test_every_named_difference_is_about_some_exchange(known: Difference) -> None:
    assert any(known.covers(exchange.name) for exchange in EXCHANGES)


def test_the_telemetry_that_is_not_compared_still_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = next(exchange for exchange in EXCHANGES if exchange.name == "verb get")
    ours, theirs = (observed(exchange, side, monkeypatch) for side in (OURS, THEIRS))

    assert differing(ours, theirs).keys() == {f"header:{name}" for name in TELEMETRY}


def test_exchanges_have_names_of_their_own() -> None:
    assert len({exchange.name for exchange in EXCHANGES}) == len(EXCHANGES)
