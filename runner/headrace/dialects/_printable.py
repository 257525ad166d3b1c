"""Makes a server's texts safe to show: one line, bounded, without control characters or secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Final

import msgspec

from headrace.job import Failure

from ._json import as_text, is_json

MAX_EXCERPT: Final = 2048
"""Bytes of a server's error that are kept, in the message and in the body."""

_ESCAPE_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?|\x9b[0-?]*[ -/]*[@-~]"
)
_REDACTED: Final = "[redacted]"
_MIN_PREFIX: Final = 8


def printable(text: str) -> str:
    """Return text as one line of printable characters, at most 2 KB of UTF-8.

    Escape sequences are removed; any other character that a terminal would act on becomes a space.
    """
    text = _ESCAPE_SEQUENCE.sub("", text[:MAX_EXCERPT])
    if not text.isprintable():
        text = "".join([char if char.isprintable() else " " for char in text])
    text = " ".join(text.split())
    encoded = text.encode()
    return text if len(encoded) <= MAX_EXCERPT else encoded[: MAX_EXCERPT - 3].decode(errors="ignore") + "..."


def redact(failure: Failure, secrets: Iterable[str]) -> Failure:
    """Return the failure with every occurrence of the secrets replaced: servers echo API keys.

    A secret that is cut off at the end of an excerpt is replaced too, if 8 or more of its characters remain.
    """
    for secret in filter(None, secrets):
        failure = msgspec.structs.replace(
            failure,
            message=_redacted(secret, failure.message),
            code=_redacted(secret, failure.code) if failure.code else None,
            request_id=_redacted(secret, failure.request_id) if failure.request_id else None,
            body=_redacted_json(secret, failure.body) if failure.body else None,
            answer=_redacted_json(secret, failure.answer) if failure.answer else None,
        )
    return failure


def _redacted(secret: str, text: str) -> str:
    text = text.replace(secret, _REDACTED)
    bare = text.removesuffix("...")
    for length in range(len(secret) - 1, _MIN_PREFIX - 1, -1):
        if bare.endswith(secret[:length]):
            return bare[:-length] + _REDACTED
    return text


def _redacted_json(secret: str, body: bytes) -> bytes:
    escaped = json.dumps(secret)[1:-1].encode()
    redacted = body.replace(escaped, _REDACTED.encode()).replace(secret.encode(), _REDACTED.encode())
    # A secret that is a number or a word of JSON may have stood outside a string.
    return redacted if redacted == body or is_json(redacted) else as_text(redacted)
