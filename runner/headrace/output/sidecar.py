"""The sidecar of an output (``out.jsonl.headrace``): who has it open, and what shaped its records.

The lock is on the sidecar, so another file never replaces it. To be readable at every instant, it is only
appended to, and its last whole line counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from headrace.policy.systemic import EarlierFailure
from headrace.policy.unconfirmed import UnconfirmedUsage

_MAX_SHOWN = 60


class Sidecar(msgspec.Struct, frozen=True, kw_only=True):
    """The sidecar's content: one JSON object."""

    version: int = 1
    pid: int = 0
    """Of the process that has the output open, or had it last; 0: none."""
    host: str = ""
    recipes: dict[str, dict[str, object]] = {}
    """By digest, each recipe that records were made with."""
    attempts: dict[str, tuple[int, UnconfirmedUsage]] = {}
    """By id, the attempts that were sent, and maybe billed, for jobs whose error record was removed."""
    endpoint: str = ""
    """A digest of the server and the headers of the last run; empty: unknown."""
    streaks: dict[str, EarlierFailure] = {}
    """By id, jobs whose error record was removed because a streak of such failures had ended a run."""
    pacing: dict[str, object] = {}
    """The pacing levels at the end of the last run."""
    spent: float = 0.0
    """What the last run with a budget had counted as spent, by itself and by the runs before it."""


def read_sidecar(data: bytes) -> Sidecar:
    """Return the content of the last whole line; an empty sidecar if there is none."""
    for line in reversed(data.splitlines()):
        try:
            return msgspec.json.decode(line, type=Sidecar)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue  # blank, or cut off by a crash
    return Sidecar()


def write_sidecar(sidecar: Sidecar) -> bytes:
    """Return the content as a line to append. It starts with an LF: a crash may have left half a line."""
    return b"\n" + msgspec.json.encode(sidecar) + b"\n"


def recipe_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    """Return the changes, one phrase each: ``--prompt changed: was "..", now ".."``. Long values are cut."""
    if bool(old.get("simulated")) != bool(new.get("simulated")):
        was, now = ("simulated", "real") if old.get("simulated") else ("real", "simulated")
        changes = [f"its answers were {was}, this run's are {now}"]
    else:
        changes = []
    before, after = _flat(old), _flat(new)
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            changes.append(f"{name} changed: was {_shown(before, name)}, now {_shown(after, name)}")
    return changes


def _flat(recipe: Mapping[str, object]) -> dict[str, bytes]:
    """Return the recipe's values, encoded, by the option that sets each."""
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
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "..."
