"""The sidecar of an output (``out.jsonl.headrace``): who holds it, and what shaped its records.

It holds the lock, so no other file can take its place. To be whole at every instant it is only appended to,
and its last whole line counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from headrace.policy.unconfirmed import UnconfirmedUsage

_CUT = 60


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """The sidecar's content: one JSON object."""

    version: int = 1
    pid: int = 0
    """0: nobody."""
    host: str = ""
    recipes: dict[str, dict[str, object]] = {}
    """By digest, each recipe that made records."""
    attempts: dict[str, tuple[int, UnconfirmedUsage]] = {}
    """By id, what was sent, and maybe billed, for jobs whose error record has left its file."""
    pacing: dict[str, object] = {}
    """The pacing levels at the end of the last run."""
    spent: float = 0.0
    """What the last run with a budget knew to be spent, by it and by those before it."""


def read_sidecar(data: bytes) -> Sidecar:
    """The content: the last whole line; an empty one if there is none."""
    for line in reversed(data.splitlines()):
        try:
            return msgspec.json.decode(line, type=Sidecar)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # blank, or half of it was lost in a crash
    return Sidecar()


def write_sidecar(sidecar: Sidecar) -> bytes:
    """The content as one line, to be appended: begun anew in case a crash left half a line before."""
    return b"\n" + msgspec.json.encode(sidecar) + b"\n"


def recipe_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """What changed, one phrase each: ``--prompt changed: was "..", now ".."``; values are cut short."""
    if bool(old.get("simulated")) != bool(new.get("simulated")):
        was, now = ("simulated", "real") if old.get("simulated") else ("real", "simulated")
        changes = [f"the answers were {was}, this run's are {now}"]
    else:
        changes = []
    before, after = _flat(old), _flat(new)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            changes.append(f"{name} changed: was {_shown(before, name)}, now {_shown(after, name)}")
    return changes


def _flat(recipe: Mapping[str, object]) -> dict[str, bytes]:
    """The recipe by the options that say it."""
    named: dict[str, object] = {}
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            named |= {f"--{key} {inner}": each for inner, each in cast("Mapping[str, object]", value).items()}
        elif key != "simulated":
            named["--input-format" if key == "dialect" else "--" + key.replace("_", "-")] = value
    return {name: msgspec.json.encode(value) for name, value in named.items()}


def _shown(values: Mapping[str, bytes], name: str) -> str:
    if name not in values:
        return "not given"
    text = values[name].decode()
    return text if len(text) <= _CUT else text[:_CUT] + "..."
