"""What an event of a stream says: its name and its members, whatever form a server gives it (pure).

An event whose data is empty, blank or null carries nothing. The name is the ``type`` in the data; servers
that leave it out name the event instead, and some give all events the same name.
"""

from __future__ import annotations

from typing import Any, Final

import attrs
import msgspec

from .error_body import error_in
from .json import decode
from .part_identity import as_object
from .sse import ServerSentEvent

_NOT_JSON: Final = object()


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
    def is_json(self) -> bool:
        return self.value is not _NOT_JSON

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
    try:
        value: Any = decode(text, keep_halves=True) if text else None
    except msgspec.DecodeError:
        value = _NOT_JSON
    kind = (as_object(value) or {}).get("type")
    name = kind if isinstance(kind, str) and kind else event.event or ""
    return StreamEvent(name="error" if event.event == "error" else name, text=text, value=value)
