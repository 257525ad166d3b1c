"""The results that earlier runs have recorded, found by job id."""

from __future__ import annotations

import attrs

from headrace._exceptions import StorageFailed
from headrace.actors.messages import Finished
from headrace.dialects import BadRecord, read_result
from headrace.library._submissions import Submission
from headrace.output.paths import OutputPaths
from headrace.output.record_files import RecordPositions
from headrace.output.storage import Storage


@attrs.frozen
class RecordedResults:
    """What the files of an output contain when a run begins."""

    _paths: OutputPaths
    _positions: RecordPositions

    @classmethod
    def scan(cls, storage: Storage, paths: OutputPaths) -> RecordedResults:
        """Read both files, at 2 us per record. Raises `StorageFailed`."""
        return cls(paths, RecordPositions.scan(storage, paths.results, paths.errors))

    def find(self, job_id: str, submission: Submission) -> Finished:
        """Return what an earlier run recorded for a job. Raises `StorageFailed` if the record is gone."""
        line = self._positions.find(job_id)
        if line is None:
            raise StorageFailed(f"the record of job {job_id[:60]!a} is no longer in {self._paths.results}")
        try:
            recorded = read_result(line)
        except BadRecord as error:
            raise StorageFailed(f"the record of job {job_id[:60]!a} cannot be read: {error}") from error
        return Finished(record=b"", outcome=recorded.outcome, note=recorded.note, recipient=submission)
