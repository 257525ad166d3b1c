"""The folders of both packages: no cycle, no look into another folder's private modules, few entries."""

from __future__ import annotations

from graphlib import TopologicalSorter
from importlib.resources import files

import grimp
import pytest

PACKAGES = ("headrace", "headrace_client")
MAX_ENTRIES = 16


@pytest.fixture(scope="module")
def imports() -> dict[str, set[str]]:
    """What each module imports, imports inside functions and under ``TYPE_CHECKING`` included."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def test_no_module_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    TopologicalSorter(imports).prepare()  # raises CycleError with the cycle


def test_no_folder_imports_itself_through_others(imports: dict[str, set[str]]) -> None:
    folders: dict[str, set[str]] = {}
    for module, imported in imports.items():
        folder = _folder(module)
        folders.setdefault(folder, set()).update(_folder(name) for name in imported)
        folders[folder].discard(folder)

    TopologicalSorter(folders).prepare()


def test_an_underscore_is_private_to_the_folder_in_which_it_stands(imports: dict[str, set[str]]) -> None:
    trespasses = [
        f"{module} imports {name}"
        for module, imported in imports.items()
        for name in imported
        if not all(_is_within(module, owner) for owner in _owners(name))
    ]

    assert trespasses == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_top_of_a_package_fits_a_glance(package: str) -> None:
    entries = [entry.name for entry in files(package).iterdir() if entry.name != "__pycache__"]

    assert len(entries) <= MAX_ENTRIES, entries


def _folder(module: str) -> str:
    return ".".join(module.split(".")[:2])


def _owners(module: str) -> list[str]:
    """The folders to which a private part of the module's name belongs."""
    parts = module.split(".")
    return [".".join(parts[:place]) for place, part in enumerate(parts) if part.startswith("_") and place]


def _is_within(module: str, folder: str) -> bool:
    return module == folder or module.startswith(folder + ".")
