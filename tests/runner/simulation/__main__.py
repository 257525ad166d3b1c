"""Play histories from seeds: ``COUNT [--first SEED]``, or ``--seed SEED`` for one history with its trace."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import islice

from .playing import play
from .promises import Broken

_CHUNK = 100


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _play_chunk(first: int, count: int) -> list[str]:
    failures: list[str] = []
    for seed in range(first, first + count):
        try:
            play(seed)
        except Broken as broken:
            failures.append(str(broken))
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=2_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    given = parser.parse_args()
    if given.seed is not None:
        _print("\n\n".join(play(given.seed)))
        return 0
    starts = range(given.first, given.first + given.count, _CHUNK)
    kinds: Counter[str] = Counter()
    with ProcessPoolExecutor() as pool:
        for start, failures in zip(
            starts, pool.map(_play_chunk, starts, [_CHUNK] * len(starts)), strict=True
        ):
            for failure in islice(failures, 2):
                _print(failure[:2_000])
            kinds.update(failure.split(": ", 2)[1] for failure in failures)
            _print(f"{start + _CHUNK:,} seeds, {kinds.total()} broken {dict(kinds) or ''}")
    return bool(kinds)


if __name__ == "__main__":
    sys.exit(main())
