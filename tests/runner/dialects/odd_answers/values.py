"""What the table of odd answers is made of."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final, Literal

import attrs

Api = Literal["messages", "chat"]
Verdict = Literal["success", "rate_limit", "credentials", "spend_limit", "rejected", "retry"]
Json = dict[str, Any]

BOTH: Final[tuple[Api, ...]] = ("messages", "chat")
CHAT: Final[tuple[Api, ...]] = ("chat",)
MESSAGES: Final[tuple[Api, ...]] = ("messages",)


@attrs.frozen
class OddAnswer:
    """One response, and what must become of it."""

    api: Api
    oddity: str
    streamed: bool
    body: bytes
    text: str
    expected: Verdict


@attrs.frozen
class Oddity:
    """One change of an answer: of its value (``whole``), or of its list of events (``stream``)."""

    name: str
    apis: tuple[Api, ...]
    expected: Verdict
    whole: Callable[[Json, str, random.Random], bytes] | None = None
    stream: Callable[[list[bytes], str, random.Random], list[bytes]] | None = None
