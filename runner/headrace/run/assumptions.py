"""What `headrace plan` assumes about the server. In a module of its own, which is cheap to import."""

from __future__ import annotations

import attrs

from headrace.policy.options import NOT_NEGATIVE, POSITIVE


@attrs.frozen(kw_only=True)
class Assumptions:
    """How the server is assumed to behave. Times in seconds."""

    latency: float = attrs.field(default=1.0, validator=NOT_NEGATIVE)
    """Until the first token."""
    tokens_per_second: float = attrs.field(default=80.0, validator=POSITIVE)
    """How fast the server generates one answer."""
    output_tokens: tuple[int, int] = (50, 500)
    """The shortest and the longest answer."""
    burst: float = attrs.field(default=1.0, validator=POSITIVE)
    """How much of each limit may be used at once: as much as it allows in this time."""
