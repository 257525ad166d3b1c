"""Writing records: one function per format and outcome. Each returns one line, its LF included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from headrace.dialects._json import encode
from headrace.job import Failure, FailureKind, Note, PreparedJob, Success


def anthropic_success(job: PreparedJob, success: Success, note: Note) -> bytes:
    """Return the record of a result in the format of a Message Batches result."""
    return b'{"custom_id":%b,"result":{"type":"succeeded","message":%b},"headrace":%b}\n' % (
        encode(job.id),
        success.message,
        encode(note),
    )


def anthropic_failure(job_id: str | None, failure: Failure, note: Note) -> bytes:
    """Return the record of a failure in the format of a Message Batches result."""
    return b'{"custom_id":%b,"result":{"type":"errored","error":%b},"headrace":%b}\n' % (
        encode(job_id),
        _anthropic_error(failure),
        _failure_note(failure, note),
    )


def openai_success(job: PreparedJob, success: Success, note: Note) -> bytes:
    """Return the record of a result in the format of OpenAI's batch output."""
    response = b'{"status_code":200,"request_id":%b,"body":%b}' % (encode(note.request_id), success.message)
    return _OPENAI_RECORD % (job.digest.encode(), encode(job.id), response, b"null", encode(note))


def openai_failure(job_id: str | None, failure: Failure, note: Note) -> bytes:
    """Return the record of a failure in the format of OpenAI's batch output.

    An error status is a response; anything else, a 2xx that is not a success included, is an error.
    """
    response, error = b"null", b"null"
    if failure.status is None or 200 <= failure.status < 300:
        error = encode({"code": failure.kind, "message": failure.message})
    else:
        response = b'{"status_code":%d,"request_id":%b,"body":%b}' % (
            failure.status,
            encode(failure.request_id),
            failure.body or _openai_error(failure),
        )
    note_bytes = _failure_note(failure, note)
    return _OPENAI_RECORD % (note.digest.encode(), encode(job_id), response, error, note_bytes)


# OpenAI puts its own id of the request here; headrace puts the digest of the line.
_OPENAI_RECORD: Final = b'{"id":"batch_req_%b","custom_id":%b,"response":%b,"error":%b,"headrace":%b}\n'


def _failure_note(failure: Failure, note: Note) -> bytes:
    """Return the note with the failure's kind, by which a later run decides whether to try again.

    The refused answer stands here in both formats: in its provider's place, other programs would take it for
    a result, and the job's last failure may be another one.
    """
    fields = b'{"failed":"%b",%b' % (failure.kind.encode(), encode(note)[1:])
    return fields if failure.answer is None else b'%b,"refused_answer":%b}' % (fields[:-1], failure.answer)


_TYPE_OF_KIND: Final[Mapping[FailureKind, str]] = {
    "bad_line": "invalid_request_error",
    "rejected": "invalid_request_error",
    "credentials": "authentication_error",
    "spend_limit": "billing_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}
"""The API's type for an error that the API did not send itself; ``api_error`` where none fits."""


def _anthropic_error(failure: Failure) -> bytes:
    """Return the server's error object, completed to the API's form; one of our own if there is none."""
    body: dict[str, Any] = {} if failure.body is None else msgspec.json.decode(failure.body)
    inner: object = body.get("error")
    if not isinstance(inner, dict):
        error = body
    else:
        error = cast("dict[str, Any]", inner)
        has_form = isinstance(error.get("type"), str) and isinstance(error.get("message"), str)
        if has_form and body.get("type") == "error" and failure.body is not None:
            return failure.body
    own = {
        "type": _string(error.get("type")) or _TYPE_OF_KIND.get(failure.kind, "api_error"),
        "message": _string(error.get("message")) or failure.message,
    }
    return encode({"type": "error", "error": {**error, **own}, "request_id": failure.request_id})


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _openai_error(failure: Failure) -> bytes:
    error = {"message": failure.message, "type": failure.kind, "param": None, "code": failure.code}
    return encode({"error": error})
