"""Reading records back, in either format: which job a record is of, what it has cost, and its result."""

from __future__ import annotations

from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import msgspec

from headrace._exceptions import HeadraceError
from headrace.dialects._chat_response import read_recorded_chat
from headrace.dialects._json import DECODE_ERRORS, decode_or_none
from headrace.dialects._messages_response import read_recorded_message
from headrace.job import Failure, FailureKind, Note, Success, TokenRange, Usage
from headrace_client.lowlevel import read_error


class BadRecord(HeadraceError):
    """A line is not a record of an output or error file."""


_RecordedKind: TypeAlias = FailureKind | Literal["bad_answer"]
"""How a record names the kind of a failure: before its rename, ``invalid_response`` was ``bad_answer``."""


# The shape of a record. Each reader below decodes only the part of the note that it needs. Fields are in the
# order in which they are written, which is what msgspec finds fastest.


class _CostNote(msgspec.Struct, gc=False):
    maybe_billed_tokens: TokenRange | None = None
    unreported_tokens: TokenRange | None = None


class _IdentityNote(msgspec.Struct, gc=False):
    failed: _RecordedKind | None = None
    digest: str | None = None
    recipe: str | None = None
    attempts: int = 0
    maybe_billed: int = 0
    maybe_billed_tokens: TokenRange | None = None
    streak: tuple[str, int] | None = None


class _FullNote(_IdentityNote, gc=False):
    line: int = 0
    latency_s: float | None = None
    ttft_s: float | None = None
    request_id: str | None = None
    refused_answer: msgspec.Raw = msgspec.Raw()


class _Result(msgspec.Struct, gc=False):
    type: str
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct, gc=False):
    status_code: int
    body: msgspec.Raw = msgspec.Raw()


_NoteT = TypeVar("_NoteT")


class _Record(msgspec.Struct, Generic[_NoteT], gc=False):
    custom_id: str | None
    result: _Result | None = None
    response: _Response | None = None
    error: msgspec.Raw = msgspec.Raw(b"null")
    headrace: _NoteT | None = None


_DECODE_COST: Final = msgspec.json.Decoder(_Record[_CostNote]).decode
_DECODE_IDENTITY: Final = msgspec.json.Decoder(_Record[_IdentityNote]).decode
_DECODE_FULL: Final = msgspec.json.Decoder(_Record[_FullNote]).decode


class RecordIdentity(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a later run needs of a record: which job it is of, and how that job ended."""

    id: str | None
    """None in the record of a line that could not be parsed."""
    digest: str | None = None
    """Of the line. None in a record that another program wrote, as is ``recipe``."""
    recipe: str | None = None
    """The digest of the recipe."""
    succeeded: bool
    failed: FailureKind | None = None
    """The kind of a failure that headrace recorded."""
    attempts: int = 0
    maybe_billed: int = 0
    """Attempts that may have been billed without a response."""
    maybe_billed_tokens: TokenRange | None = None
    streak: tuple[str, int] | None = None
    """As in `Note`."""


_NO_NOTE: Final = _IdentityNote()


def read_identity(line: bytes) -> RecordIdentity:
    """Return which job a record is of and how it ended. Raises `BadRecord` if the line is not a record.

    Hot: a resume reads every record, at 1 us for a record of 1 KB.
    """
    try:
        record = _DECODE_IDENTITY(line)
    except DECODE_ERRORS as error:
        raise _bad_record(error) from error
    if record.result is not None:
        succeeded = record.result.type == "succeeded"
    elif record.response is not None:
        succeeded = 200 <= record.response.status_code < 300
    elif bytes(record.error) != b"null":
        succeeded = False
    else:
        raise BadRecord("the line is not a record: it has neither result nor response nor error")
    note = record.headrace or _NO_NOTE
    return RecordIdentity(
        id=record.custom_id,
        digest=note.digest,
        recipe=note.recipe,
        succeeded=succeeded,
        failed=_current_kind(note.failed),
        attempts=note.attempts,
        maybe_billed=note.maybe_billed,
        maybe_billed_tokens=note.maybe_billed_tokens,
        streak=note.streak,
    )


class RecordedUsage(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What one record has cost, in tokens."""

    model: str = ""
    """As the server names it; empty if there is no answer, or one that does not name it."""
    usage: Usage = Usage()
    maybe_billed: int = 0
    """Tokens that attempts without a response have cost at most, if that is bounded; else 0."""
    unreported: tuple[int, int] = (0, 0)
    """The maximum of the input and of the output tokens that the answer used and did not report."""


class _Named(msgspec.Struct, gc=False):
    model: Any = ""


_DECODE_NAMED: Final = msgspec.json.Decoder(_Named).decode
_NO_USAGE: Final = RecordedUsage()


def read_usage(line: bytes) -> RecordedUsage:
    """Return what a record has cost; nothing if the line does not say, or is not a record."""
    try:
        record = _DECODE_COST(line)
    except DECODE_ERRORS:
        return _NO_USAGE
    note = record.headrace or _CostNote()
    maybe_billed = 0 if note.maybe_billed_tokens is None else note.maybe_billed_tokens[1] or 0
    try:
        success = _success(record)
        model: object = _DECODE_NAMED(success.message).model
    except DECODE_ERRORS:
        return RecordedUsage(maybe_billed=maybe_billed)
    return RecordedUsage(
        model=model if isinstance(model, str) else "",
        usage=success.usage,
        maybe_billed=maybe_billed,
        unreported=_unreported(success, note.unreported_tokens),
    )


def _unreported(success: Success, noted: TokenRange | None) -> tuple[int, int]:
    """Return the maximum of the tokens that an answer does not report.

    If the record does not give it, the answer's size counts: no token of it is shorter than a byte.
    """
    if success.usage.is_known:
        return 0, 0
    size = len(success.message) if success.usage.output is None else 0
    return (0, size) if noted is None else (noted[0], size if noted[1] is None else noted[1])


class RecordedResult(msgspec.Struct, frozen=True, gc=False):
    """What a record says of its job: the same as when the job was finished."""

    outcome: Success | Failure
    note: Note


def read_result(line: bytes) -> RecordedResult:
    """Return the success or failure that a record holds. Raises `BadRecord` if the line is not a record."""
    try:
        record = _DECODE_FULL(line)
    except DECODE_ERRORS as error:
        raise _bad_record(error) from error
    written = record.headrace or _FullNote()
    note = Note(
        line=written.line,
        digest=written.digest or "",
        recipe=written.recipe or "",
        attempts=written.attempts,
        maybe_billed=written.maybe_billed,
        maybe_billed_tokens=written.maybe_billed_tokens,
        latency_s=written.latency_s,
        ttft_s=written.ttft_s,
        request_id=written.request_id,
    )
    try:
        outcome = _success(record)
    except DECODE_ERRORS:
        outcome = _failure(record, written)
    return RecordedResult(outcome, note)


def _success(record: _Record[Any]) -> Success:
    """Return the success that a record holds. Raises one of `DECODE_ERRORS` if it holds none."""
    if record.result is not None:
        return read_recorded_message(bytes(record.result.message))
    if record.response is not None and 200 <= record.response.status_code < 300:
        return read_recorded_chat(bytes(record.response.body))
    raise msgspec.ValidationError("a failure")


def _failure(record: _Record[_FullNote], note: _FullNote) -> Failure:
    status, body = None, record.error
    if record.result is not None:
        body = record.result.error
    elif record.response is not None:
        status, body = record.response.status_code, record.response.body
    error = read_error(decode_or_none(bytes(body)))
    return Failure(
        kind=_current_kind(note.failed) or "rejected",
        message=error.text or "the job failed in an earlier run",
        status=status,
        body=bytes(body),
        request_id=note.request_id,
        code=next(iter(error.codes), None),
        answer=bytes(note.refused_answer) or None,
    )


def _current_kind(kind: _RecordedKind | None) -> FailureKind | None:
    return "invalid_response" if kind == "bad_answer" else kind


def _bad_record(error: Exception) -> BadRecord:
    return BadRecord(f"the line is not a record: {str(error)[:80]}")
