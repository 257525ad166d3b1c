"""Whether a body is a stream of events or JSON: its first bytes decide, and only then its header (pure)."""

from __future__ import annotations

import re
from typing import Final

EVENT_STREAM: Final = "text/event-stream"
_JSON_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*[\[{\"]")
_EVENT_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?[ \t\r\n]*(?:data|event|id|retry)?:")


def media_type(content_type: str) -> str:
    """Return the media type in a ``content-type`` header, in lower case and without parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_json_start(body: bytes) -> bool:
    """Return whether a body begins like JSON, and so not like server-sent events."""
    return _JSON_START.match(body) is not None


def is_event_stream(content_type: str, body: bytes) -> bool:
    """Return whether a body holds server-sent events.

    JSON never begins like a line of events, nor the other way round; some servers label one as the other.
    """
    if _EVENT_START.match(body):
        return True
    return media_type(content_type) == EVENT_STREAM and not _JSON_START.match(body)
