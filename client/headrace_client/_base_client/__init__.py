"""The clients of any HTTP API: their verbs, and the two drivers that run the flow.

The drivers are the only place of the client that sends and sleeps. What a request, its retries
and its answer are is written once, in `_configuration`, `_verbs`, `_flow` and what these stand on.
"""

from __future__ import annotations

from headrace_client._base_client.async_client import AsyncAPIClient
from headrace_client._base_client.base import BaseClient
from headrace_client._base_client.sync_client import SyncAPIClient

__all__ = ["AsyncAPIClient", "BaseClient", "SyncAPIClient"]
