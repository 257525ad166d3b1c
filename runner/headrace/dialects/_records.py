"""What all records share: one line of JSON each, the key ``headrace``, and how they are read back."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

from headrace._exceptions import HeadraceError
from headrace.job import FailureKind, Note, TokenRange

_ENCODE: Final = msgspec.json.Encoder().encode
_LINE_SEPARATORS: Final = (
    ("\x85", b"\\u0085"),  # str.splitlines() ends a line here too
    ("\u2028", b"\\u2028"),
    ("\u2029", b"\\u2029"),
)


DECODE_ERRORS = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""All that msgspec raises for bytes that it cannot read."""


class BadRecord(HeadraceError):
    """A line is no record of an output or error file."""


def one_line(body: bytes) -> bytes:
    """Return JSON as one line for every reader; mostly the very same bytes (P12).

    ``body`` is well-formed JSON, of which only the strings are not known to be UTF-8 (msgspec's Raw, or a
    Struct that skipped them). Raises `UnicodeDecodeError` if they are not. Within well-formed JSON, CR and LF
    stand only between tokens, the other line ends only in strings, where an escape says the same.
    """
    if body.find(b"\n") >= 0 or body.find(b"\r") >= 0:  # at half the price of `in`
        body = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return _without_separators(body)


def _without_separators(body: bytes) -> bytes:
    if body.isascii():
        return body
    text = body.decode()
    for separator, escape in _LINE_SEPARATORS:
        if separator in text:
            body = body.replace(separator.encode(), escape)
    return body


def repaired(body: bytes) -> bytes:
    """Return JSON that msgspec refused only for half surrogate pairs, with U+FFFD in their place.

    A server that cuts text between the halves of a pair sends such; the answer is paid for all the same.
    Raises `ValueError` or `RecursionError` if it is no JSON for other reasons, but for NaN.
    """
    text = json.dumps(json.loads(body.decode()), ensure_ascii=False, separators=(",", ":"))
    return _HALF_PAIR.sub("\ufffd", text).encode()


_HALF_PAIR: Final = re.compile("[\ud800-\udfff]")


def encode(value: object) -> bytes:
    """Return a value as one line of JSON."""
    return _without_separators(_ENCODE(value))


def encode_failure_note(note: Note, kind: FailureKind) -> bytes:
    """Return a failure's value of the key ``headrace``: its kind is what a resume decides by."""
    return b'{"failed":"%b",%b' % (kind.encode(), encode(note)[1:])


class RecordIdentity(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a record tells a resume: which job it is of, and how that ended."""

    id: str | None
    """None for the record of a line that was no job."""
    digest: str | None = None
    """This and the next are None in a record that another program wrote."""
    recipe: str | None = None
    succeeded: bool
    failed: FailureKind | None = None
    """The kind of a failure that headrace recorded."""
    attempts: int = 0
    maybe_billed: int = 0
    maybe_billed_tokens: TokenRange | None = None


class _Note(msgspec.Struct, gc=False):
    digest: str | None = None
    recipe: str | None = None
    failed: FailureKind | None = None
    attempts: int = 0
    maybe_billed: int = 0
    maybe_billed_tokens: TokenRange | None = None


class _Result(msgspec.Struct, gc=False):
    type: str


class _Response(msgspec.Struct, gc=False):
    status_code: int


class _Record(msgspec.Struct, gc=False):
    custom_id: str | None
    result: _Result | None = None
    response: _Response | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    headrace: _Note | None = None


_DECODE_RECORD: Final = msgspec.json.Decoder(_Record).decode
_NO_NOTE: Final = _Note()


def read_identity(line: bytes) -> RecordIdentity:
    """Return what a line of an output or error file tells, in either dialect. Raises `BadRecord`.

    Hot: a resume reads every record. Of a record of 1 KB it costs 1.5 us.
    """
    try:
        record = _DECODE_RECORD(line)
    except DECODE_ERRORS as error:
        raise BadRecord(f"the line is no record: {str(error)[:80]}") from error
    if record.result is None and record.response is None and bytes(record.error) == b"null":
        raise BadRecord("the line is no record: it has neither result nor response nor error")
    note = record.headrace or _NO_NOTE
    return RecordIdentity(
        id=record.custom_id,
        digest=note.digest,
        recipe=note.recipe,
        succeeded=_succeeded(record),
        failed=note.failed,
        attempts=note.attempts,
        maybe_billed=note.maybe_billed,
        maybe_billed_tokens=note.maybe_billed_tokens,
    )


def _succeeded(record: _Record) -> bool:
    if record.result is not None:
        return record.result.type == "succeeded"
    return record.response is not None and 200 <= record.response.status_code < 300
