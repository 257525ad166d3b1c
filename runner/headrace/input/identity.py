"""The identity of a job: the digest of its line, its id, and its ordinal among equal lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import blake2b

import attrs
import msgspec

from .key_set import KeySet

_DERIVED_ID = re.compile(r"r-([0-9a-f]{16})-(0|[1-9][0-9]*)")
_KEY_MASK = 2**64 - 1


def digest(text: bytes) -> str:
    """Return BLAKE2b-8 of a line without BOM and line ending: 16 hex digits."""
    return blake2b(text, digest_size=8).hexdigest()


def digest_number(text: bytes) -> int:
    """Return the digest of a line as the index stores it: 64 bits."""
    return int.from_bytes(blake2b(text, digest_size=8).digest())


def recipe_digest(recipe: Mapping[str, object]) -> str:
    """Return BLAKE2b-4 of the recipe's canonical JSON (sorted keys, no whitespace): 8 hex digits."""
    canonical = msgspec.json.encode(recipe, order="deterministic")
    return blake2b(canonical, digest_size=4).hexdigest()


def derived_id(line_digest: str, ordinal: int) -> str:
    """Return the id for a line that has none: the same in every run, wherever the line is in the input."""
    return f"r-{line_digest}-{ordinal}"


def hash_key(job_id: str) -> int:
    """Return 64 bits for an id, valid in this process only: Python's own keyed hash, which is cached."""
    return hash(job_id) & _KEY_MASK


def index_key(job_id: str) -> tuple[int, int]:
    """Return an id's key in the index of an input, and its ordinal.

    The key of a derived id is its digest, that of any other id its `hash_key`. Equal lines therefore share a
    key, and the index does not have to know which of them came first.
    """
    if job_id.startswith("r-") and (match := _DERIVED_ID.fullmatch(job_id)):
        return int(match[1], 16), int(match[2])
    return hash_key(job_id), 0


@attrs.define
class Ordinals:
    """Counts equal lines, in the order of the input.

    ``repeated``: after a scan, the digests that occur more than once. None without a scan: then every digest
    is remembered, in 12 to 24 bytes each.
    """

    repeated: Collection[int] | None
    _counts: dict[int, int] = attrs.field(factory=dict[int, int])
    _seen: KeySet = attrs.field(factory=KeySet)

    def next(self, line_digest: str) -> int:
        """Return how many lines with this digest came before."""
        key = int(line_digest, 16)
        if self.repeated is not None:
            if key not in self.repeated:
                return 0
            earlier = self._counts.get(key, 0)
        else:
            earlier = 0 if self._seen.add(key) else self._counts.get(key, 1)
            if not earlier:
                return 0
        self._counts[key] = earlier + 1
        return earlier


@attrs.define
class Identities:
    """Gives each line its id, in the order of the input.

    ``duplicates``: the ids that a scan found on several lines. None without a scan: then the hash of every
    id is remembered (64 bits: with ten million ids, two of them collide in one of 370,000 runs).
    """

    ordinals: Ordinals
    duplicates: Collection[str] | None
    _used: set[str] = attrs.field(factory=set[str])
    _seen: KeySet = attrs.field(factory=KeySet)

    def name(self, own_id: str | None, line_digest: str) -> tuple[str, bool]:
        """Return the id of the next line, and whether it is new: no earlier line had it."""
        job_id = own_id
        if job_id is None:
            job_id = derived_id(line_digest, self.ordinals.next(line_digest))
        return job_id, self._is_new(job_id)

    def _is_new(self, job_id: str) -> bool:
        if self.duplicates is None:
            return self._seen.add(hash_key(job_id))
        if job_id not in self.duplicates:
            return True
        is_new = job_id not in self._used
        self._used.add(job_id)
        return is_new
