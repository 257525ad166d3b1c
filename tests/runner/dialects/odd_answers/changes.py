"""Ways to change an answer: its whole body, or the list of its events."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from .ordinary import dump, sse
from .values import Json

ChangesBody = Callable[[Json, str, random.Random], bytes]
ChangesEvents = Callable[[list[bytes], str, random.Random], list[bytes]]


def with_members(**members: Any) -> ChangesBody:
    """Set members of the body; ``...`` removes one."""

    def change(body: Json, text: str, generator: random.Random) -> bytes:
        merged = {**body, **members}
        return dump({key: value for key, value in merged.items() if value is not ...})

    return change


def with_choice(**members: Any) -> ChangesBody:
    """Set members of the first choice; ``...`` removes one."""

    def change(body: Json, text: str, generator: random.Random) -> bytes:
        choice = {**body["choices"][0], **members}
        choice = {key: value for key, value in choice.items() if value is not ...}
        return dump({**body, "choices": [choice]})

    return change


def as_bytes(change: Callable[[bytes], bytes]) -> ChangesBody:
    return lambda body, text, generator: change(dump(body))


def instead(value: object) -> ChangesBody:
    content = value if isinstance(value, bytes) else dump(value)
    return lambda body, text, generator: content


def inserted(*extra: bytes, first: int = 1) -> ChangesEvents:
    """Put events at a random place before the last two, after at least ``first`` events."""

    def change(events: list[bytes], text: str, generator: random.Random) -> list[bytes]:
        place = generator.randrange(first, len(events) - 2)
        return [*events[:place], *extra, *events[place:]]

    return change


def followed_by(*extra: bytes) -> ChangesEvents:
    return lambda events, text, generator: [*events, *extra]


def without(*names: bytes) -> ChangesEvents:
    return lambda events, text, generator: [
        event for event in events if not any(name in event for name in names)
    ]


def replaced(before: bytes, after: bytes) -> ChangesEvents:
    return lambda events, text, generator: [event.replace(before, after) for event in events]


def each_chunk(change: Callable[[Json], Json]) -> ChangesEvents:
    def changed(event: bytes) -> bytes:
        data = event.split(b"data: ", 1)[1].strip()
        if data == b"[DONE]":
            return event
        value = change(json.loads(data))
        return sse(value, value.get("type"))

    return lambda events, text, generator: [changed(event) for event in events]
