"""Durations and sums of money as text, for all that is shown to people. Pure."""

from __future__ import annotations

from headrace.policy.prices import PriceList


def duration_text(seconds: float) -> str:
    """Return a duration such as ``45 s``, ``5 min 3 s`` or ``2 h 10 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def cost_text(amount: float, prices: PriceList) -> str:
    """Return an estimate such as ``about 12.50 USD (prices of 2025-10-01)``."""
    return f"about {amount:,.2f} {prices.currency} (prices of {prices.as_of})"
