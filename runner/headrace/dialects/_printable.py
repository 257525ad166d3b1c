"""Makes a server's texts safe to show: one line, bounded, without control characters or secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
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
    text = _without(secret, text)
    bare = text.removesuffix("...")
    for length in range(len(secret) - 1, _MIN_PREFIX - 1, -1):
        if bare.endswith(secret[:length]):
            return bare[:-length] + _REDACTED
    return text


def _redacted_json(secret: str, body: bytes) -> bytes:
    text = body.decode(errors="surrogateescape")
    redacted = _without(secret, text).encode(errors="surrogateescape")
    # A secret that is a number or a word of JSON may have stood outside a string.
    return redacted if redacted == body or is_json(redacted) else as_text(redacted)


def _without(secret: str, text: str) -> str:
    """Return JSON without a secret, in whatever way it is escaped: a text may itself be a part of JSON.

    Of one that is cut off at the end of a string, 8 characters or more are removed, too.
    """
    plain = _PLAIN_START.findall(secret)[0]
    if plain not in text and "\\u" not in text:
        return text
    start, rest = _forms(secret)
    parts: list[str] = []
    done = 0
    for found in start.finditer(text):
        end, left = found.end(), len(rest)
        for char in rest:
            if (more := char.match(text, end)) is None:
                break
            end, left = more.end(), left - 1
        if found.start() >= done and (not left or _STRING_END.match(text, end)):
            parts += text[done : found.start()], _REDACTED
            done = end
    return "".join((*parts, text[done:]))


_PLAIN_START: Final = re.compile(r"[0-9A-Za-z]{0,4}")
"""The beginning of a secret that is only escaped as ``\\u0073``, if at all."""
_STRING_END: Final = re.compile(r'\\*"|\Z')


@lru_cache(maxsize=16)
def _forms(secret: str) -> tuple[re.Pattern[str], tuple[re.Pattern[str], ...]]:
    """Return patterns for the beginning of a secret, and for each character of the rest."""
    chars = [_any_form(char) for char in secret]
    return re.compile("".join(chars[:_MIN_PREFIX])), tuple(map(re.compile, chars[_MIN_PREFIX:]))


def _any_form(char: str) -> str:
    """Return a pattern for a character as it is, escaped, or escaped several times."""
    units = char.encode("utf-16-be", "surrogatepass")
    codes = [f"{high:02x}{low:02x}" for high, low in zip(units[::2], units[1::2], strict=True)]
    backslashes = r"\\*" if char in '/"\\' else ""
    escaped = "".join(rf"\\+u(?i:{code})" for code in codes)
    return rf"(?:{escaped}|{backslashes}{re.escape(char)})"
