"""The names of platforms."""

from __future__ import annotations

import pytest

from headrace_client._base_client.platform import architecture, loop_name, os_name


@pytest.mark.parametrize(
    ("python_platform", "system", "description", "name"),
    [
        ("linux", "Linux", "Linux-6.1-x86_64", "Linux"),
        ("darwin", "Darwin", "macOS-14", "MacOS"),
        ("win32", "Windows", "Windows-11", "Windows"),
        ("freebsd14", "FreeBSD", "FreeBSD-14", "FreeBSD"),
        ("openbsd7", "OpenBSD", "OpenBSD-7", "OpenBSD"),
        ("ios", "iOS", "iOS-17", "iOS"),
        ("darwin", "Darwin", "Darwin-23-iPhone14", "iOS"),
        ("linux", "Linux", "Linux-android-arm64", "Android"),
        ("sunos5", "SunOS", "SunOS-5", "Other:sunos"),
        ("x", "", "", "Unknown"),
    ],
)
def test_operating_systems(python_platform: str, system: str, description: str, name: str) -> None:
    assert os_name(python_platform, system, description) == name


@pytest.mark.parametrize(
    ("machine", "bits", "name"),
    [
        ("x86_64", 64, "x64"),
        ("AMD64", 64, "x64"),
        ("aarch64", 64, "arm64"),
        ("arm64", 64, "arm64"),
        ("arm", 32, "arm"),
        ("i686", 32, "x32"),
        ("riscv64", 64, "other:riscv64"),
        ("", 64, "unknown"),
    ],
)
def test_processors(machine: str, bits: int, name: str) -> None:
    assert architecture(machine, bits=bits) == name


def test_outside_of_an_event_loop() -> None:
    assert loop_name() == "async:false"
