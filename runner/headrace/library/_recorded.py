"""The results of earlier runs, found in their files by id: 16 bytes of memory a record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import msgspec

from headrace._exceptions import StorageFailed
from headrace.actors.messages import Finished
from headrace.dialects import Dialect
from headrace.input.identity import hash_key
from headrace.input.index import Index
from headrace.input.lines import LineCutter
from headrace.job import Failure, FailureKind, Note, TokenRange
from headrace.library._submissions import Submission
from headrace.output.output import OutputPaths
from headrace.output.records import RecordFile
from headrace.output.storage import Storage
from headrace_client.lowlevel import Response

_PIECE = 16 * 1024


@attrs.frozen
class RecordedResults:
    """What the files of an output hold when a run begins."""

    _storage: Storage
    _files: tuple[Path, Path]
    """Of results, of failures."""
    _places: Index
    """By the id's hash: where its record begins, times two, plus one in the second file."""
    _dialect: Dialect

    @classmethod
    def survey(cls, storage: Storage, paths: OutputPaths, dialect: Dialect) -> RecordedResults:
        """Read both files, at 2 us a record. Raises `StorageFailed`."""
        files = (paths.results, paths.errors)
        places = Index()
        for which, path in enumerate(files):
            for span, record in RecordFile(storage, path, ours=True).records():
                if record.id is not None:
                    places.add(hash_key(record.id), span.start << 1 | which)
        places.sort()
        return cls(storage, files, places, dialect)

    def find(self, job_id: str, submission: Submission) -> Finished:
        """Return what an earlier run recorded of a job. Raises `StorageFailed` if that is gone."""
        entry = self._places.find_key(hash_key(job_id))
        if entry is None:
            raise StorageFailed(f"the record of job {job_id[:60]!a} is no more in {self._files[0]}")
        place = self._places.digest(entry)
        line = next(_lines_from(self._storage, self._files[place & 1], place >> 1))
        return _finished(line, submission, self._dialect)


def _lines_from(storage: Storage, path: Path, offset: int) -> Iterator[bytes]:
    cutter = LineCutter()
    while piece := storage.read(path, offset, _PIECE):
        offset += len(piece)
        yield from cutter.feed(piece)
    yield cutter.take_rest()


class _Result(msgspec.Struct, gc=False):
    message: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct, gc=False):
    status_code: int
    body: msgspec.Raw


class _Record(msgspec.Struct, gc=False):
    """A record of either dialect."""

    result: _Result | None = None
    response: _Response | None = None
    error: msgspec.Raw = msgspec.Raw()
    headrace: msgspec.Raw = msgspec.Raw(b"{}")


class _Note(msgspec.Struct, gc=False):
    """`headrace.job.Note` as far as it is there: another program may have written the record."""

    failed: FailureKind = "rejected"
    line: int = 0
    digest: str = ""
    recipe: str = ""
    attempts: int = 0
    maybe_billed: int = 0
    maybe_billed_tokens: TokenRange | None = None
    latency_s: float | None = None
    ttft_s: float | None = None
    request_id: str | None = None


class _ErrorDetail(msgspec.Struct, gc=False):
    message: str = ""
    code: str | None = None


class _ErrorObject(msgspec.Struct, gc=False):
    message: str = ""
    code: str | None = None
    error: _ErrorDetail | None = None


_decode_record: Final = msgspec.json.Decoder(_Record).decode
_decode_note: Final = msgspec.json.Decoder(_Note).decode
_decode_error: Final = msgspec.json.Decoder(_ErrorObject).decode


def _finished(line: bytes, submission: Submission, dialect: Dialect) -> Finished:
    record = _decode_record(line)
    told = _decode_note(record.headrace)
    note = Note(
        line=told.line,
        digest=told.digest,
        recipe=told.recipe,
        attempts=told.attempts,
        maybe_billed=told.maybe_billed,
        maybe_billed_tokens=told.maybe_billed_tokens,
        latency_s=told.latency_s,
        ttft_s=told.ttft_s,
        request_id=told.request_id,
    )
    status, body = _answer(record)
    answer = Response(status=status, head=b"", body=body, started_at=0.0, first_byte_at=0.0, finished_at=0.0)
    if status == _OK and not isinstance(success := dialect.judge(answer), Failure):
        return Finished(record=b"", recipient=submission, success=success, note=note)
    return Finished(record=b"", failure=_failure(told, status, body), recipient=submission, note=note)


_OK: Final = 200
_NO_STATUS: Final = 0


def _answer(record: _Record) -> tuple[int, bytes]:
    """The recorded answer, or what stands for it where there was none."""
    if record.result is not None:
        message = bytes(record.result.message)
        return (_OK, message) if message else (_NO_STATUS, bytes(record.result.error))
    if record.response is not None:
        return record.response.status_code, bytes(record.response.body)
    return _NO_STATUS, bytes(record.error)


def _failure(told: _Note, status: int, body: bytes) -> Failure:
    error = _decode_error(body)
    detail = error.error or error
    return Failure(
        kind=told.failed,
        message=detail.message or "the job failed in an earlier run",
        status=status or None,
        body=body,
        request_id=told.request_id,
        code=detail.code,
    )
