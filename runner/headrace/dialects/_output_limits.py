"""How much output a request allows: what its endpoint limits it by, and how many choices it asks for. Pure.

A server that does not know a key ignores it. So ``/v1/responses`` has only its own key; other endpoints have
all three, because servers differ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

import attrs

from ._lines import optional
from ._paths import last_segment

_MAX_TOKENS: Final = 10**12
"""A larger number limits nothing, and could overflow in calculations."""
_MAX_CHOICES: Final = 10**6
_WITHOUT_OUTPUT: Final = frozenset({"embeddings", "moderations", "rerank", "score", "classify", "pooling"})
"""The last segments of paths whose answers are no generated text."""


@attrs.frozen
class Endpoint:
    """What limits the output of an endpoint."""

    keys: Sequence[str]
    """The keys of the body. A body without any gets the last one.

    In a chat completion that is ``max_tokens``. It is deprecated, but a server that no longer accepts it says
    so, while a server that does not know ``max_completion_tokens`` silently ignores it.
    """
    has_output: bool = True


_ENDPOINTS: Final[Mapping[str, Endpoint]] = {
    "responses": Endpoint(("max_output_tokens",)),
    **dict.fromkeys(_WITHOUT_OUTPUT, Endpoint(("max_tokens",), has_output=False)),
}
_OTHER: Final = Endpoint(("max_completion_tokens", "max_output_tokens", "max_tokens"))


def endpoint_at(path: str) -> Endpoint:
    """Return what limits the output of the endpoint at a path."""
    return _ENDPOINTS.get(last_segment(path), _OTHER)


def set_limit(body: Mapping[str, object], endpoint: Endpoint, limit: int) -> dict[str, object]:
    """Return the keys to set in a body so that it has this limit, whichever of them it has already."""
    present = [key for key in endpoint.keys if key in body]
    return dict.fromkeys(present or endpoint.keys[-1:], limit)


def limit_name(body: Mapping[str, object], endpoint: Endpoint) -> str:
    """Return the key that should limit a body's output."""
    return next((key for key in endpoint.keys if key in body), endpoint.keys[-1])


def max_tokens(body: Mapping[str, object], endpoint: Endpoint) -> int | None:
    """Return the most tokens of one choice: 0 without output, None if nothing limits them.

    If a body has several limits, the largest counts: a server may know only that one. A limit of null, 0 or
    less limits nothing: servers take it for no limit. Raises `BadLine` for another type.
    """
    if not endpoint.has_output:
        return 0
    limits = [limit for key in endpoint.keys if (limit := optional(body, key, int)) is not None]
    return limiting(max(limits)) if limits and min(limits) > 0 else None


def limiting(limit: int | None) -> int | None:
    """Return a limit if it limits anything, else None."""
    return limit if limit is not None and 0 < limit <= _MAX_TOKENS else None


def choices(body: Mapping[str, Any]) -> int:
    """Return how many answers a request is billed for.

    That is ``n``, or ``best_of`` if it is more: the server generates that many and returns the ``n`` best. A
    text completion takes several prompts at once, and generates as many for each.
    """
    if "n" not in body and "best_of" not in body and "prompt" not in body:
        return 1  # nearly always
    return max(_number(body.get("n")), _number(body.get("best_of"))) * _prompts(body.get("prompt"))


def _number(value: object) -> int:
    """Return a number of choices, at least 1. Lenient: a server may read what is not an integer as one."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 1:
        return 1
    return math.ceil(min(value, _MAX_CHOICES))


def _prompts(value: object) -> int:
    """Return the number of prompts: a list of numbers is one prompt, as tokens."""
    if not isinstance(value, list):
        return 1
    prompts = cast("list[object]", value)
    return 1 if not prompts or isinstance(prompts[0], int) else len(prompts)


def service_tier(body: Mapping[str, object]) -> str | None:
    """Return the service tier that a body requests, None if it requests none."""
    tier = body.get("service_tier")
    return tier if isinstance(tier, str) else None
