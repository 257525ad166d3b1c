"""Each planted bug still has its place and its tests. To run these against all bugs takes too long here."""

from __future__ import annotations

from pathlib import Path

import pytest

from .__main__ import BY_THE_CLOCK, files_of
from .catalogue import BUGS
from .planting import Bug, with_bug

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_each_bug_can_be_planted(bug: Bug) -> None:
    """Its code is in its symbol exactly once, and the result is Python."""
    source = bug.path(ROOT).read_text()

    planted = with_bug(bug, source)

    compile(planted, str(bug.path(ROOT)), "exec")


def test_the_tests_that_should_notice_them_exist() -> None:
    assert files_of(ROOT, {name for bug in BUGS for name in bug.tests})
    assert [name for name in BY_THE_CLOCK if not list((ROOT / "tests").rglob(f"{name}.py"))] == []


def test_no_two_bugs_share_a_name() -> None:
    assert len({bug.name for bug in BUGS}) == len(BUGS)


def test_the_page_of_the_promises_counts_them() -> None:
    assert f"{len(BUGS)} mutations" in (ROOT / "docs/promises.md").read_text()


def bug(good: str, bad: str, symbol: str = "C.f") -> Bug:
    return Bug("a bug", f"headrace.job:{symbol}", good, bad, ())


SOURCE = """
class C:
    @property
    def f(self):
        # a comment
        if (self.a
                and 'b'):
            self.close()
            return max(1, 2)
        self.close()
        raise ValueError("no")

    def g(self):
        return self.a
"""


@pytest.mark.parametrize(
    ("good", "bad", "expected"),
    [
        ('self.a and "b"', "False", "if False:"),
        ("max(1, 2)", "1", "return 1"),
        ("2", "3", "max(1, 3)"),
        ("self.a and ...", "...", "if 'b':"),
        ("max(..., 2)", "min(...)", "return min(1)"),
        ("raise ValueError(...)", "pass", "self.close()\n        pass\n"),
        ("self.close()\nraise ValueError(...)", "return", "            return max(1, 2)\n        return\n"),
    ],
)
def test_code_is_found_whatever_its_layout(good: str, bad: str, expected: str) -> None:
    assert expected in with_bug(bug(good, bad), SOURCE)


@pytest.mark.parametrize(
    ("good", "symbol", "problem"),
    [
        ("self.close()", "C.f", "2 places"),
        ("self.b", "C.f", "0 places"),
        ("self.a", "C", "2 places"),
        ("self.a", "C.h", "no such symbol"),
        ("self.a", "f", "no such symbol"),
    ],
)
def test_code_that_is_not_there_exactly_once_is_an_error(good: str, symbol: str, problem: str) -> None:
    with pytest.raises(LookupError, match=problem):
        with_bug(bug(good, "None", symbol), SOURCE)
