"""The peers: the packages that each needs, and a virtual environment for each."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).parent / ".peers"
REQUIREMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "anthropic": ("anthropic[aiohttp]==2.11.*",),
    "aiohttp": ("aiohttp", "uvloop", "httptools", "msgspec"),
    "httpx": ("httpx==0.28.*", "msgspec"),
    "flexllm": ("flexllm",),
    "inspect_ai": ("inspect_ai", "anthropic"),
    "curator": ("bespokelabs-curator",),
}
_SECONDS: Final = 300
"""Timeout of one installation."""


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer, or our own if the peer has no environment."""
    python = PEERS / peer / "bin" / "python"
    return python if python.exists() else Path(sys.executable)


def is_installed(peer: str) -> bool:
    """Whether the peer can be measured."""
    return (PEERS / peer / "installed").exists()


def install(peer: str) -> str | None:
    """Create a peer's environment. Return None, or why that failed."""
    folder = PEERS / peer
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", *REQUIREMENTS[peer]],
    )
    for command in commands:
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"not installed within {_SECONDS} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    (folder / "installed").touch()
    return None


def install_tools() -> str | None:
    """Install nginx and wrk from the system's packages. Return None, or why that failed."""
    missing = [tool for tool in ("nginx", "wrk") if shutil.which(tool) is None]
    if not missing:
        return None
    if shutil.which("apt-get") is None:
        return f"apt-get is missing: install {' and '.join(missing)} yourself"
    command = ["apt-get", "install", "--yes", *missing]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1] if done.returncode else None
