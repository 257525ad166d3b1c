"""What the client logs, under ``headrace_client``: never a credential, a body or a query.

DEBUG: each attempt, each response with its headers. INFO: each retry. ``ANTHROPIC_LOG=debug`` or
``info`` in the environment shows it on stderr.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from headrace_client._exceptions import SENSITIVE_HEADERS

if TYPE_CHECKING:
    import httpx

    from .flow import RetryEvent

logger = logging.getLogger("headrace_client")

_FORMAT = "[%(asctime)s - %(name)s:%(lineno)d - %(levelname)s] %(message)s"
_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO}


def setup_logging() -> None:
    """Show the logs of the client and of httpx as ``ANTHROPIC_LOG`` demands."""
    level = _LEVELS.get(os.environ.get("ANTHROPIC_LOG", ""))
    if level is not None:
        logging.basicConfig(format=_FORMAT, datefmt="%Y-%m-%d %H:%M:%S")
        for name in ("headrace_client", "httpx"):
            logging.getLogger(name).setLevel(level)


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Return headers that may be shown to anyone."""
    return {
        name: "<redacted>" if name.lower() in SENSITIVE_HEADERS else value for name, value in headers.items()
    }


def is_shown() -> bool:
    """Tell whether attempts and responses are logged at all."""
    return logger.isEnabledFor(logging.DEBUG)


def log_send(request: httpx.Request, retries_taken: int) -> None:
    """Log that an attempt begins."""
    if is_shown():
        logger.debug(
            "Sending %s %s, retries taken: %d, headers: %s",
            request.method,
            _place(request),
            retries_taken,
            redacted(request.headers),
        )


def log_response(response: httpx.Response) -> None:
    """Log what an attempt was answered."""
    if is_shown():
        logger.debug(
            "Received %d %s for %s %s, request_id: %s, headers: %s",
            response.status_code,
            response.reason_phrase,
            response.request.method,
            _place(response.request),
            response.headers.get("request-id"),
            redacted(response.headers),
        )


def log_retry(event: RetryEvent) -> None:
    """Log that a failed attempt will be followed by another."""
    logger.debug("Attempt %d failed: %s", event.attempt, type(event.cause).__name__)
    logger.info("Retrying request to %s in %f seconds", event.cause.request.url.path, event.wait)


def log_failure(error: Exception) -> None:
    """Log that a request has failed for good."""
    logger.debug("Not retrying: %s", type(error).__name__)


def _place(request: httpx.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode('ascii').rpartition('@')[2]}{request.url.path}"
