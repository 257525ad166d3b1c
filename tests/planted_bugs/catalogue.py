"""All bugs that are planted."""

from __future__ import annotations

from typing import Final

from . import client_requests, client_responses, runner

BUGS: Final = (*client_requests.BUGS, *client_responses.BUGS, *runner.BUGS)
