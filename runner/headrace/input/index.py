"""The job index: a key and a digest per job, 16 bytes, and one byte for the job's state.

Both are 64 bits, uniformly distributed. The top byte of the key selects one of 256 buckets, each a pair of
sorted arrays: sorting one bucket at a time needs no second copy of the whole index, and a look-up bisects
one bucket. If key and digest are the same number (lines without an id of their own), equal entries are equal
lines, which their ordinals distinguish.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from enum import IntEnum

_BUCKETS = 256


class State(IntEnum):
    """What the records of earlier runs say of a job."""

    NEW = 0
    DONE = 1
    """Its record is in the output."""
    FAILED = 2
    """Its record is in the error file, and it will not be tried again."""


class Index:
    """All jobs of an input, or all records of an output: `add`, `sort`, then look up. Entries are ints."""

    def __init__(self) -> None:
        self._keys = [array("Q") for _ in range(_BUCKETS)]
        self._digests = [array("Q") for _ in range(_BUCKETS)]
        self._states: list[bytearray] = []

    def __len__(self) -> int:
        return sum(map(len, self._keys))

    def add(self, key: int, digest: int) -> None:
        """Add an entry; the order does not matter."""
        bucket = key >> 56
        self._keys[bucket].append(key)
        self._digests[bucket].append(digest)

    def sort(self) -> None:
        """Sort, after all entries were added. All states are NEW."""
        for number in range(_BUCKETS):
            self._keys[number], self._digests[number] = _sorted(self._keys[number], self._digests[number])
        self._states = [bytearray(len(keys)) for keys in self._keys]

    def find(self, key: int, digest: int, ordinal: int = 0) -> int | None:
        """Return the entry with this key and digest, or None; of equal lines the one with this ordinal."""
        bucket = key >> 56
        keys, digests = self._keys[bucket], self._digests[bucket]
        place = bisect_left(keys, key)
        if place == len(keys) or keys[place] != key:
            return None
        if digests[place] != digest:
            place = bisect_left(digests, digest, place, bisect_right(keys, key, place))
        if digest == key:
            place += ordinal
        if place >= len(keys) or keys[place] != key or digests[place] != digest:
            return None
        return place << 8 | bucket

    def find_key(self, key: int, ordinal: int = 0) -> int | None:
        """Return the entry with this key, whatever its digest, or None."""
        if (entry := self.find(key, key, ordinal)) is not None:
            return entry
        keys = self._keys[key >> 56]
        place = bisect_left(keys, key)
        found = place < len(keys) and keys[place] == key and self._digests[key >> 56][place] != key
        return place << 8 | key >> 56 if found else None

    def state(self, entry: int) -> int:
        return self._states[entry & 0xFF][entry >> 8]

    def digest(self, entry: int) -> int:
        return self._digests[entry & 0xFF][entry >> 8]

    def mark(self, entry: int, state: State) -> None:
        """Set the state of an entry."""
        self._states[entry & 0xFF][entry >> 8] = state

    def claim(self, entry: int, state: State) -> bool:
        """Set the state of an entry that is NEW; return whether it was."""
        states, place = self._states[entry & 0xFF], entry >> 8
        if states[place]:
            return False
        states[place] = state
        return True

    def count(self, state: State) -> int:
        return sum(states.count(state) for states in self._states)

    def shared(self) -> tuple[frozenset[int], frozenset[int]]:
        """Return the digests of equal lines without ids, and the keys that may be one id on several lines."""
        repeated: set[int] = set()
        suspects: set[int] = set()
        for keys, digests in zip(self._keys, self._digests, strict=True):
            for key, entries in _runs(keys, digests):
                own = [digest for digest in entries if digest != key]
                if own:
                    suspects.add(key)
                if len(entries) - len(own) > 1:
                    repeated.add(key)
        return frozenset(repeated), frozenset(suspects)


def _sorted(keys: array[int], digests: array[int]) -> tuple[array[int], array[int]]:
    if keys == digests:
        keys = array("Q", sorted(keys))
        return keys, keys
    pairs = sorted(zip(keys, digests, strict=True))
    return array("Q", [key for key, _ in pairs]), array("Q", [digest for _, digest in pairs])


def _runs(keys: array[int], digests: array[int]) -> Iterator[tuple[int, array[int]]]:
    """Yield the keys that occur more than once, each with the digests of its entries."""
    end = 0
    for place in range(1, len(keys)):
        if place > end and keys[place] == keys[place - 1]:
            end = bisect_right(keys, keys[place], place)
            yield keys[place], digests[place - 1 : end]
