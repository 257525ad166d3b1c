"""The peers: what each needs, and an environment of its own for each."""

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
"""What one installation may take."""


def python_of(peer: str) -> Path:
    """Return the interpreter of a peer; our own where it has no environment."""
    python = PEERS / peer / "bin" / "python"
    return python if python.exists() else Path(sys.executable)


def is_installed(peer: str) -> bool:
    """Tell whether the peer can be measured."""
    return (PEERS / peer / "installed").exists()


def install(peer: str) -> str | None:
    """Make a peer's environment; return why it could not be made."""
    folder = PEERS / peer
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(folder / "bin" / "pip"), "install", "--quiet", *REQUIREMENTS[peer]],
    )
    for command in commands:
        try:
            done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"it did not install within {_SECONDS} s"
        if done.returncode:
            return (done.stderr.strip().splitlines() or ["pip failed"])[-1]
    (folder / "installed").touch()
    return None


def install_tools() -> str | None:
    """Install nginx and wrk from the system's packages; return why that failed."""
    missing = [tool for tool in ("nginx", "wrk") if shutil.which(tool) is None]
    if not missing:
        return None
    if shutil.which("apt-get") is None:
        return f"no apt-get here: install {' and '.join(missing)} by hand"
    command = ["apt-get", "install", "--yes", *missing]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["apt-get failed"])[-1] if done.returncode else None
