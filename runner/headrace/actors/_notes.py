"""What a record says of its job beside the answer."""

from __future__ import annotations

import msgspec

from headrace.job import Note

from .messages import Pending


def note_of(
    pending: Pending,
    recipe: str,
    started_at: float,
    request_id: str | None,
    *,
    attempts: int,
    latency: float | None = None,
    ttft: float | None = None,
) -> Note:
    """Return the note for a record whose last attempt, the ``attempts``-th, began at ``started_at``.

    Times in seconds, rounded to microseconds: more digits would be noise.
    """
    job = pending.job
    kept = job.request.kept
    return Note(
        line=job.line,
        source=job.source,
        digest=job.digest,
        recipe=recipe,
        attempts=attempts,
        maybe_billed=pending.maybe_billed.attempts,
        maybe_billed_tokens=pending.maybe_billed.tokens,
        queued_s=round(started_at - pending.read_at, 6),
        latency_s=None if latency is None else round(latency, 6),
        ttft_s=None if ttft is None else round(ttft, 6),
        request_id=request_id,
        input=None if kept is None else msgspec.Raw(kept),
    )
