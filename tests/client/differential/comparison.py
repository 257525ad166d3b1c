"""One exchange with both packages, and the differences."""

from __future__ import annotations

from functools import partial
from typing import Any

import anyio
import pytest

from .differences import TELEMETRY
from .exchange import Exchange, Side
from .observation import differing, observe


def observed(exchange: Exchange, side: Side) -> dict[str, Any]:
    with pytest.MonkeyPatch.context() as patches:
        return anyio.run(partial(observe, exchange, side, patches))


def differences(exchange: Exchange, sides: tuple[Side, Side]) -> dict[str, Any]:
    """Return the aspects in which the two packages differ, without telemetry."""
    ours, theirs = (observed(exchange, side) for side in sides)
    found = differing(ours, theirs)
    return {name: pair for name, pair in found.items() if name.removeprefix("header:") not in TELEMETRY}
