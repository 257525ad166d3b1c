"""``python -m tests.runner.torture 1000``: so many kills -9 of real runs, in two processes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from .workshop import CONCURRENCY, Job, Tally, kill_until_done, simulator

_SIDES = 2
_JOBS = 600


def _one_side(kills: int, seed: int) -> Tally:
    rng, counts = Random(seed), Tally()
    with tempfile.TemporaryDirectory() as name, simulator(Path(name), "--ttft", "0.02") as server:
        while counts.kills < kills:
            job = Job(Path(name), f"job{counts.outputs}", server, _JOBS)
            kill_until_done(job, rng, counts, kills - counts.kills)
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kills", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    with ProcessPoolExecutor(_SIDES) as pool:
        share = -(-given.kills // _SIDES)
        sides = list(pool.map(_one_side, [share] * _SIDES, [given.seed, given.seed + 1]))
    again = sorted(paid for side in sides for paid in side.paid_again)
    sys.stdout.write(
        f"{len(again):,} kills of {sum(side.outputs for side in sides):,} outputs of {_JOBS} jobs"
        f" in {time.monotonic() - began:,.0f} s: none lost, none twice, none swapped;"
        f" {sum(side.torn for side in sides)} torn ends;"
        f" paid again at a kill: median {again[len(again) // 2]}, most {again[-1]}"
        f" (concurrency {CONCURRENCY})\n"
    )


if __name__ == "__main__":
    main()
