"""The paths of requests: which of them a line may name, and what they end with. Pure."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from headrace._exceptions import BadLine

from ._lines import quoted

_PATH: Final = re.compile(r"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})+")  # RFC 3986, section 3.3


@lru_cache(maxsize=64)
def check_path(url: str) -> str:
    """Return a line's path. Raises `BadLine` unless it stays on the configured origin: the key must, too."""
    if "://" in url or url.startswith("//"):
        raise BadLine("url must be a path like /v1/chat/completions; set the server with --base-url")
    if not _PATH.fullmatch(url) or {".", ".."}.intersection(unquote(url).replace("\\", "/").split("/")):
        raise BadLine(f"url must be a path like /v1/chat/completions, not {quoted(url)}")
    return url


@lru_cache(maxsize=64)
def last_segment(path: str) -> str:
    """Return what a path ends with, which says what its answers are: Azure's paths end as OpenAI's do."""
    return path.partition("?")[0].rstrip("/").rpartition("/")[2]
