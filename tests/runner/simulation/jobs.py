"""The job file of a history: its lines, how they change, and the expected answer to every line so far."""

from __future__ import annotations

import json
from random import Random

import attrs

from headrace.input.identity import derived_id, digest
from headrace.simulator import messages_digest

GONE = "gone-model"
"""A model that the simulated server does not know: its jobs fail for good."""
MAX_TOKENS = 8


@attrs.frozen
class Line:
    """One line of the input. ``id``: None for a line without an id."""

    id: str | None
    text: str
    model: str = "m"
    junk: bool = False

    @property
    def content(self) -> bytes:
        if self.junk:
            return json.dumps([self.text]).encode()
        named = {} if self.id is None else {"custom_id": self.id}
        params = {"model": self.model, "max_tokens": MAX_TOKENS, "messages": self.messages}
        return json.dumps({**named, "params": params}).encode()

    @property
    def messages(self) -> list[dict[str, str]]:
        return [{"role": "user", "content": self.text}]

    @property
    def digest(self) -> str:
        return digest(self.content)


@attrs.define
class JobFile:
    """The current input."""

    rng: Random
    lines: list[Line] = attrs.field(factory=list[Line])
    answers: dict[str, str] = attrs.field(factory=dict[str, str])
    """By the digest of every line so far, the text with which its answer begins."""
    _made: int = 0

    def grow(self, count: int) -> None:
        for _ in range(count):
            self._made += 1
            kind = self.rng.random()
            if kind < 0.05:
                self._add(Line(None, f"junk {self._made}", junk=True))
            elif kind < 0.2:
                self._add(Line(None, f"nameless {self.rng.randrange(3)}"))
            else:
                model = GONE if kind > 0.95 else "m"
                self._add(Line(f"job-{self._made}", f"question {self._made}", model))

    def _add(self, line: Line) -> None:
        self.lines.append(line)
        self.answers[line.digest] = messages_digest(line.messages)

    def shuffle(self) -> None:
        self.rng.shuffle(self.lines)

    def drop(self) -> None:
        """Remove one line."""
        if len(self.lines) > 3:
            self.lines.pop(self.rng.randrange(len(self.lines)))

    def edit(self) -> None:
        place = self.rng.randrange(len(self.lines))
        line = self.lines[place]
        if line.id is not None:
            self.lines.pop(place)
            self._made += 1
            self._add(attrs.evolve(line, text=f"another question {self._made}"))

    @property
    def content(self) -> bytes:
        ends = self.rng.choice([b"\n", b"\r\n", b"\n\n"])
        return b"".join(line.content + ends for line in self.lines)

    def ids(self) -> dict[str, Line]:
        """By id, the lines that are jobs."""
        found: dict[str, Line] = {}
        equal: dict[str, int] = {}
        for line in self.lines:
            if line.junk:
                continue
            ordinal = equal.get(line.digest, 0)
            equal[line.digest] = ordinal + 1
            found[line.id or derived_id(line.digest, ordinal)] = line
        return found
