"""The Messages API: what its answers are worth, how they stream, and Anthropic's batch results as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs
import msgspec

from headrace.job import Failure, FailureKind, JobRequest, Note, PreparedJob, Success
from headrace_client.lowlevel import Response

from . import _judgement as _judging
from ._dialect import Assembler, LineDialect
from ._lines import optional, required_model
from ._messages_answer import read_message
from ._messages_stream import MessageEvents
from ._records import encode, encode_failure_note
from ._streams import StreamAssembler

MESSAGES_PATH: Final = "/v1/messages"
API_VERSION: Final = "2023-06-01"


@attrs.frozen
class MessagesDialect(LineDialect):
    """A `Dialect` for the Messages API; its methods are described there."""

    default_base_url: str = attrs.field(default="https://api.anthropic.com", init=False)
    key_variable: str = attrs.field(default="ANTHROPIC_API_KEY", init=False)

    def headers(self, key: str | None) -> dict[str, str]:
        version = {"anthropic-version": API_VERSION, "content-type": "application/json"}
        return {**version, "x-api-key": key} if key else version

    def judge(self, answer: Response) -> Success | Failure:
        return _judging.judge(answer, read_message)

    def assembler(self) -> Assembler:
        return StreamAssembler(MessageEvents())

    def success_record(self, job: PreparedJob, success: Success, note: Note) -> bytes:
        return b'{"custom_id":%b,"result":{"type":"succeeded","message":%b},"headrace":%b}\n' % (
            encode(job.id),
            success.message,
            encode(note),
        )

    def failure_record(self, job_id: str | None, failure: Failure, note: Note) -> bytes:
        return b'{"custom_id":%b,"result":{"type":"errored","error":%b},"headrace":%b}\n' % (
            encode(job_id),
            _error_object(failure),
            encode_failure_note(note, failure.kind),
        )


def read_request(
    params: Mapping[str, Any],
    raw: bytes,
    body_keys: Mapping[str, object],
    *,
    kept: bytes | None,
) -> JobRequest:
    """Return the request of a Messages body, ``params`` decoded and ``raw`` as it came. Raises `BadLine`.

    The bytes go through untouched unless the options override a key.
    """
    fields = {**params, **body_keys} if body_keys else params
    return JobRequest(
        path=MESSAGES_PATH,
        body=msgspec.json.encode(fields) if body_keys else raw,
        model=required_model(fields),
        max_tokens=optional(fields, "max_tokens", int),
        stream=optional(fields, "stream", bool) or False,
        kept=kept,
    )


_TYPE_OF_KIND: Final[Mapping[FailureKind, str]] = {
    "bad_line": "invalid_request_error",
    "rejected": "invalid_request_error",
    "credentials": "authentication_error",
    "spend_limit": "billing_error",
    "rate_limit": "rate_limit_error",
    "overloaded": "overloaded_error",
    "timeout": "timeout_error",
}
"""The API's own type of an error that did not come from it; where none fits, ``api_error``."""


class _Error(msgspec.Struct):
    type: str
    message: str


class _ErrorObject(msgspec.Struct):
    type: Literal["error"]
    error: _Error


def _error_object(failure: Failure) -> bytes:
    """Return the server's own error object if it sent one, else one like it."""
    if failure.body is not None:
        try:
            msgspec.json.decode(failure.body, type=_ErrorObject)
        except msgspec.ValidationError:
            pass
        else:
            return failure.body
    own = {"type": _TYPE_OF_KIND.get(failure.kind, "api_error"), "message": failure.message}
    return encode({"type": "error", "error": own, "request_id": failure.request_id})
