"""These tests need the reference SDK. Nothing is collected without it; ``just differential`` installs it."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("anthropic") else ["test_*.py"]
