"""Kill real runs: ``python -m tests.runner.torture 1000`` for 1,000 kills, from two processes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

from .workshop import CONCURRENCY, Job, Tally, kill_until_done, simulator

_PROCESSES = 2
_JOBS = 600


def _kill_runs(kills: int, seed: int) -> Tally:
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
    with ProcessPoolExecutor(_PROCESSES) as pool:
        share = -(-given.kills // _PROCESSES)
        tallies = list(pool.map(_kill_runs, [share] * _PROCESSES, [given.seed, given.seed + 1]))
    again = sorted(paid for tally in tallies for paid in tally.paid_again)
    sys.stdout.write(
        f"{len(again):,} kills of {sum(tally.outputs for tally in tallies):,} outputs of {_JOBS} jobs"
        f" in {time.monotonic() - began:,.0f} s: none lost, none twice, none swapped;"
        f" {sum(tally.torn for tally in tallies)} torn ends;"
        f" paid again at a kill: median {again[len(again) // 2]}, most {again[-1]}"
        f" (concurrency {CONCURRENCY})\n"
    )


if __name__ == "__main__":
    main()
