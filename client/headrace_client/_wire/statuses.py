"""What an error status says about its request: may it pass later, and may it have been billed (pure).

One table for the client and the runner. 402 and the other account errors are not in it: a status alone does
not tell them from a rate limit.

Sources: RFC 9110 section 15, RFC 6585, RFC 8470 (425); Cloudflare's 5xx errors
(https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/); Groq's
498 (https://console.groq.com/docs/errors); nginx's 499.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import attrs


@attrs.frozen
class StatusMeaning:
    """What an error status says about the request.

    ``may_pass``: the same request may succeed later. ``passed_on``: a gateway had passed it on to a server
    whose answer never came back, so that server may have processed it to its end, and billed it.
    """

    may_pass: bool
    passed_on: bool = False


_FINAL: Final = StatusMeaning(may_pass=False)
_PASSES: Final = StatusMeaning(may_pass=True)
_LOST: Final = StatusMeaning(may_pass=True, passed_on=True)

STATUSES: Final[Mapping[int, StatusMeaning]] = {
    408: _PASSES,  # the server did not receive the whole request in time
    409: _PASSES,  # a conflict with another request, for example for a lock
    424: _PASSES,  # what the gateway depends on has failed (inference servers: the generation)
    425: _PASSES,  # too early: the request may be a replay and was not processed
    429: _PASSES,  # a limit on the rate, or on the requests in flight
    498: _PASSES,  # Groq: the capacity for flex processing is exceeded
    499: _PASSES,  # the client of some proxy on the way has left, and the server dropped the request
    500: _PASSES,
    502: _LOST,  # the gateway passed the request on and got no valid response
    503: _PASSES,
    504: _LOST,  # the gateway passed the request on and stopped waiting
    520: _LOST,  # Cloudflare: the server received the request and sent nothing, or nothing valid
    521: _PASSES,  # Cloudflare: the server refused the connection
    522: _PASSES,  # Cloudflare: the server acknowledged neither connection nor request
    523: _PASSES,  # Cloudflare: there was no route to the server
    524: _LOST,  # Cloudflare: the connection held, but no response came in time
    525: _PASSES,  # Cloudflare: the TLS handshake with the server failed
    526: _PASSES,  # Cloudflare: the server's certificate is not valid
    527: _PASSES,  # Cloudflare: no connection to the server's Railgun listener
    529: _PASSES,  # overloaded
    530: _PASSES,  # Cloudflare: the server's name was not resolved, or its tunnel is down
    598: _LOST,  # some proxies: no response came in time
    599: _PASSES,  # some proxies: no connection was made in time
}
"""Every other status below 500 is final. Every other one from 500 on may pass and was not passed on."""


def status_meaning(status: int) -> StatusMeaning:
    """Return what a status outside 2xx says about its request."""
    return STATUSES.get(status) or (_PASSES if status >= 500 else _FINAL)
