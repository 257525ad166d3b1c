"""What an event of a stream says: its name and its members, whatever form a server gives it (pure).

An event whose data is empty, blank or null carries nothing. The name is the ``type`` in the data; servers
that leave it out name the event instead, and some give all events the same name.
"""

from __future__ import annotations

import re
from typing import Any, Final

import attrs
import msgspec

from .error_body import error_in
from .json import TooDeepError, decode
from .part_identity import as_object
from .sse import ServerSentEvent

_NOT_JSON: Final = object()
_TOO_DEEP: Final = object()
_PREFIX: Final = re.compile(r"(?:data:\s*)+")
"""Some gateways frame events that are framed already."""


@attrs.frozen(kw_only=True)
class StreamEvent:
    """One event. ``text``: its data without white space at the ends. ``value``: the JSON in it, if any."""

    name: str
    text: str
    value: Any = _NOT_JSON

    @property
    def carries_nothing(self) -> bool:
        """Whether there is no data: a sign of life, or half of what a proxy took apart."""
        return self.value is None

    @property
    def is_done(self) -> bool:
        """Whether this is the last event of OpenAI's streams, which others send as well."""
        return self.text.strip('"') == "[DONE]"

    @property
    def is_json(self) -> bool:
        return self.value is not _NOT_JSON and self.value is not _TOO_DEEP

    @property
    def is_too_deep(self) -> bool:
        """Whether the data is JSON that is nested too deep to be read."""
        return self.value is _TOO_DEEP

    @property
    def is_object(self) -> bool:
        return isinstance(self.value, dict)

    @property
    def members(self) -> dict[str, Any]:
        """The members of the JSON object in the data; empty if it is none."""
        return as_object(self.value) or {}

    @property
    def is_error(self) -> bool:
        """Whether the event reports an error: by its name, or as a body would; see `error_in`."""
        if self.name == "error":
            return not self.carries_nothing
        return self.is_json and error_in(self.value) is not None


def read_event(event: ServerSentEvent) -> StreamEvent:
    """Return what a server-sent event says."""
    text = event.data.strip()
    text = _PREFIX.sub("", text, count=1) if text.startswith("data:") else text
    try:
        value: Any = decode(text, keep_halves=True) if text else None
    except TooDeepError:
        value = _TOO_DEEP
    except msgspec.DecodeError:
        value = _NOT_JSON
    kind = (as_object(value) or {}).get("type")
    name = kind if isinstance(kind, str) and kind else event.event or ""
    return StreamEvent(name="error" if event.event == "error" else name, text=text, value=value)


def split_event(event: ServerSentEvent) -> list[ServerSentEvent]:
    """Return the events in one, several if a server leaves out the blank lines between them.

    The last one has the name: those of the others were overwritten.
    """
    if "\n" not in event.data.strip():
        return [event]
    whole = read_event(event)
    if whole.is_json or whole.is_too_deep:
        return [event]
    lines = [line for line in event.data.split("\n") if line.strip()]
    parts = [*(ServerSentEvent(data=line) for line in lines[:-1]), attrs.evolve(event, data=lines[-1])]
    if all(part.is_json or part.is_done or part.is_too_deep for part in map(read_event, parts)):
        return parts
    return [event]
