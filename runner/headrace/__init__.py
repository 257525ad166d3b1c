"""headrace: bulk API jobs, as fast as the rate limits allow, never losing or paying twice for an answer.

Every name is served when it is first asked for, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._exceptions import HeadraceError, JobFailed, RunRefused, StorageFailed
    from .actors.statistics import Latency, Snapshot
    from .job import Attempt, Usage
    from .library.fan_out import fan_out, fan_out_sync
    from .library.open_runner import Runner, open_runner
    from .library.results import Results
    from .library.run_file import run_file
    from .library.values import Job, Result
    from .policy.options import Limits
    from .run.summary import Summary

_MODULES = {
    "_exceptions": "HeadraceError JobFailed RunRefused StorageFailed",
    "library.fan_out": "fan_out fan_out_sync",
    "library.open_runner": "Runner open_runner",
    "library.results": "Results",
    "library.values": "Job Result",
    "job": "Attempt Usage",
    "library.run_file": "run_file",
    "actors.statistics": "Latency Snapshot",
    "policy.options": "Limits",
    "run.summary": "Summary",
}
_PLACES = {name: module for module, names in _MODULES.items() for name in names.split()}

__all__ = [
    "Attempt",
    "HeadraceError",
    "Job",
    "JobFailed",
    "Latency",
    "Limits",
    "Result",
    "Results",
    "RunRefused",
    "Runner",
    "Snapshot",
    "StorageFailed",
    "Summary",
    "Usage",
    "fan_out",
    "fan_out_sync",
    "open_runner",
    "run_file",
]


def __getattr__(name: str) -> Any:
    """Import the module that has ``name`` (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_PLACES[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
