"""The documentation names files, layers and sections that exist."""

from __future__ import annotations

import re
import tomllib
from importlib import import_module
from pathlib import Path
from typing import cast, get_args

import pytest

from headrace.job import FailureKind, Note
from headrace.run.summary import as_builtins, summarize
from tests.runner.cli.test_cli_display import SNAPSHOT

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
PAGES = [
    "README.md",
    "benchmarks/README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
]

_CODE = re.compile("`([^`\n]+)`")
_PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]*")
_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def test_each_path_that_the_architecture_names_exists() -> None:
    paths = [text for text in _CODE.findall(ARCHITECTURE) if _PATH.fullmatch(text)]

    assert [path for path in paths if not (ROOT / path).exists()] == []
    assert len(paths) > 50


@pytest.mark.parametrize("package", ["headrace", "headrace_client"])
def test_the_architecture_shows_the_layers_of_the_contracts(package: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (contract["layers"] for contract in contracts if contract.get("containers") == [package])

    table = ARCHITECTURE.partition(f"\n`{package}`, top layer first:\n\n")[2].partition("\n\n")[0]

    shown = [" | ".join(_CODE.findall(row.split("|")[1])) for row in table.splitlines()[2:]]
    assert shown == layers


def test_users_may_import_what_the_architecture_says() -> None:
    shown = ARCHITECTURE.partition("\nUsers may import from these modules")[2].partition("\n## ")[0]
    modules = re.findall(r"^- `([\w.]+)`:", shown, re.MULTILINE)

    assert {module: bool(import_module(module).__doc__) for module in modules} == dict.fromkeys(modules, True)
    assert {"headrace", "headrace_client"} <= set(modules)


def test_the_page_about_the_output_names_every_key_and_kind() -> None:
    """Of records, failures and the summary as JSON."""
    named = set(_CODE.findall((ROOT / "docs/output.md").read_text(encoding="utf-8")))
    done = summarize(
        input=1, done_before=0, failed_before=0, run=SNAPSHOT, reasons=[], output=Path("a"), errors=Path("b")
    )
    summary = as_builtins(done)
    run = cast("dict[str, object]", summary.pop("run"))

    assert {*Note.__struct_fields__, "failed", "refused_answer", *get_args(FailureKind)} - named == set()
    assert {*summary, *(f"run.{key}" for key in run)} - named == set()


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_sections_that_exist(page: str) -> None:
    links = _LINK.findall((ROOT / page).read_text(encoding="utf-8"))
    targets = [((ROOT / page).parent / name if name else ROOT / page, section) for name, section in links]

    assert [str(path) for path, _ in targets if not path.exists()] == []
    assert [section for path, section in targets if section and section not in sections(path)] == []


def sections(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    headings = _HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
