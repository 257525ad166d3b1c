"""The client's log, ``headrace_client``. It never contains a credential, a body or a query.

DEBUG: each attempt, and each response with its headers. INFO: each retry. Set ``ANTHROPIC_LOG`` to ``debug``
or ``info`` in the environment to see it on stderr.
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
    """Show the logs of the client and of httpx at the level in ``ANTHROPIC_LOG``."""
    level = _LEVELS.get(os.environ.get("ANTHROPIC_LOG", ""))
    if level is not None:
        logging.basicConfig(format=_FORMAT, datefmt="%Y-%m-%d %H:%M:%S")
        for name in ("headrace_client", "httpx"):
            logging.getLogger(name).setLevel(level)


def redacted(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with secrets replaced by ``<redacted>``."""
    return {
        name: "<redacted>" if name.lower() in SENSITIVE_HEADERS else value for name, value in headers.items()
    }


def is_shown() -> bool:
    """Return whether attempts and responses are logged."""
    return logger.isEnabledFor(logging.DEBUG)


def log_send(request: httpx.Request, retries_taken: int) -> None:
    """Log that an attempt begins."""
    if is_shown():
        logger.debug(
            "Sending %s %s, retries taken: %d, headers: %s",
            request.method,
            _location(request),
            retries_taken,
            redacted(request.headers),
        )


def log_response(response: httpx.Response) -> None:
    """Log the response to an attempt."""
    if is_shown():
        logger.debug(
            "Received %d %s for %s %s, request_id: %s, headers: %s",
            response.status_code,
            response.reason_phrase,
            response.request.method,
            _location(response.request),
            response.headers.get("request-id"),
            redacted(response.headers),
        )


def log_retry(event: RetryEvent) -> None:
    """Log that an attempt failed and will be retried."""
    logger.debug("Attempt %d failed: %s", event.attempt, type(event.cause).__name__)
    logger.info("Retrying request to %s in %f seconds", event.cause.request.url.path, event.wait)


def log_failure(error: Exception) -> None:
    """Log that a request failed and will not be retried."""
    logger.debug("Not retrying: %s", type(error).__name__)


def _location(request: httpx.Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc.decode('ascii').rpartition('@')[2]}{request.url.path}"
