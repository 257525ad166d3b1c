"""The planted bugs stay plantable: `planted_bugs.py` itself takes too long to run with every test."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.runner.planted_bugs import BUGS, Bug, copy_trees, environment, place_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_bug_has_its_place_and_tests_that_exist(bug: Bug) -> None:
    assert place_of(bug, ROOT).is_file()
    assert [path for path in bug.tests if not (ROOT / path).is_file()] == []
    assert bug.bad != bug.good


def test_the_page_of_the_promises_counts_them() -> None:
    assert f"{len(BUGS)} mutations" in (ROOT / "docs/promises.md").read_text()


def test_a_copy_of_the_tree_can_play_histories(tmp_path: Path) -> None:
    copy_trees(tmp_path)

    subprocess.run(
        [sys.executable, "-c", "from tests.runner.simulation.playing import play; play(0)"],
        cwd=tmp_path,
        env=environment(),
        check=True,
    )
