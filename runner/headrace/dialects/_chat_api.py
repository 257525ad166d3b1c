"""The OpenAI-compatible APIs: how their errors and batch results are written as records."""

from __future__ import annotations

from typing import Final

import attrs

from headrace.job import Failure, Note, PreparedJob, Success
from headrace_client.lowlevel import Response

from . import _judgement as _judging
from ._chat_answer import read_answer
from ._chat_stream import ChatEvents
from ._dialect import Assembler, LineDialect
from ._records import encode, encode_failure_note
from ._streams import StreamAssembler


@attrs.frozen
class ChatDialect(LineDialect):
    """A `Dialect` for OpenAI-compatible servers; its methods are described there."""

    default_base_url: str = attrs.field(default="https://api.openai.com", init=False)
    key_variable: str = attrs.field(default="OPENAI_API_KEY", init=False)

    def headers(self, key: str | None) -> dict[str, str]:
        content = {"content-type": "application/json"}
        return {**content, "authorization": f"Bearer {key}"} if key else content

    def judge(self, answer: Response) -> Success | Failure:
        return _judging.judge(answer, read_answer)

    def assembler(self) -> Assembler:
        return StreamAssembler(ChatEvents())

    def success_record(self, job: PreparedJob, success: Success, note: Note) -> bytes:
        response = b'{"status_code":200,"request_id":%b,"body":%b}' % (
            encode(note.request_id),
            success.message,
        )
        return _RECORD % (job.digest.encode(), encode(job.id), response, b"null", encode(note))

    def failure_record(self, job_id: str | None, failure: Failure, note: Note) -> bytes:
        response, error = b"null", b"null"
        if failure.status is None or 200 <= failure.status < 300:
            error = encode({"code": failure.kind, "message": failure.message})
        else:
            response = b'{"status_code":%d,"request_id":%b,"body":%b}' % (
                failure.status,
                encode(failure.request_id),
                failure.body or _error_body(failure),
            )
        note_bytes = encode_failure_note(note, failure.kind)
        return _RECORD % (note.digest.encode(), encode(job_id), response, error, note_bytes)


# The provider's own id of a request in a batch; here it is the digest of the line.
_RECORD: Final = b'{"id":"batch_req_%b","custom_id":%b,"response":%b,"error":%b,"headrace":%b}\n'


def _error_body(failure: Failure) -> bytes:
    error = {"message": failure.message, "type": failure.kind, "param": None, "code": failure.code}
    return encode({"error": error})
