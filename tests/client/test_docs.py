"""Every Python example of the client's documentation runs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.local_api import local_api

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("client.md", "switching-from-the-sdk.md")


def examples(page: str) -> Iterator[tuple[str, int, str]]:
    text = (DOCS / page).read_text()
    for found in re.finditer(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield page, text.count("\n", 0, found.start(1)), found[1]


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with local_api() as url:
        yield url


@pytest.mark.parametrize(
    ("page", "line", "source"),
    [pytest.param(*example, id=f"{example[0]}:{example[1]}") for page in PAGES for example in examples(page)],
)
def test_an_example_runs(
    page: str, line: int, source: str, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    # The blank lines make a traceback point into the page.
    exec(compile("\n" * line + source, str(DOCS / page), "exec"), {"__name__": "__main__"})
