"""Clients of any HTTP API, blocking and asynchronous: their settings, and the life of one request.

`flow` is that life, written once for both clients. `sync_client` and `async_client` drive it: they are the
only modules that send, and they take time, sleep and jitter from a `clock`.
"""

from __future__ import annotations

from .async_client import AsyncAPIClient
from .base import BaseClient
from .sync_client import SyncAPIClient

__all__ = ["AsyncAPIClient", "BaseClient", "SyncAPIClient"]
