"""The rules of identity and resume. Pure: bytes and values in, decisions out; nothing here touches a disk."""

from __future__ import annotations

from ._compare import (
    KnownJobs,
    OnChange,
    Recalled,
    RetryFailed,
    ScannedJobs,
    StreamedJobs,
    Tally,
    is_tried_again,
)
from ._identity import (
    Identities,
    Ordinals,
    derived_id,
    digest,
    digest_number,
    hash_key,
    index_key,
    recipe_digest,
)
from ._index import Index, State
from ._lines import InputLine, LineCutter, LineSplitter, Oversized
from ._recovery import Damaged, Recovery, Span, Spans, records
from ._sidecar import Sidecar, read_sidecar, recipe_changes, write_sidecar
from ._verify import Verification

__all__ = [
    "Damaged",
    "Identities",
    "Index",
    "InputLine",
    "KnownJobs",
    "LineCutter",
    "LineSplitter",
    "OnChange",
    "Ordinals",
    "Oversized",
    "Recalled",
    "Recovery",
    "RetryFailed",
    "ScannedJobs",
    "Sidecar",
    "Span",
    "Spans",
    "State",
    "StreamedJobs",
    "Tally",
    "Verification",
    "derived_id",
    "digest",
    "digest_number",
    "hash_key",
    "index_key",
    "is_tried_again",
    "read_sidecar",
    "recipe_changes",
    "recipe_digest",
    "records",
    "write_sidecar",
]
