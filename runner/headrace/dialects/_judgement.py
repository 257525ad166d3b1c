"""How both APIs judge a response: a success if its body is valid for the API, else a failure (pure)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headrace.job import Failure, Success
from headrace_client.lowlevel import Response

from ._failures import failure_from_response, invalid_response
from ._json import DECODE_ERRORS, without_lone_surrogates

_BLANKS = b" \t\r\n"


def judge(response: Response, read: Callable[[bytes], Success]) -> Success | Failure:
    """Return the success in a response, or why it holds none.

    ``read`` turns a body into a success, or raises one of `DECODE_ERRORS` if it is not valid for the API.
    """
    if not 200 <= response.status < 300:
        return failure_from_response(response)
    body = response.body.strip(_BLANKS)
    try:
        return read(body)
    except msgspec.ValidationError as error:
        return invalid_response(str(error), response)
    except DECODE_ERRORS as error:
        return _read_repaired(body, read) or invalid_response(str(error), response)


def _read_repaired(body: bytes, read: Callable[[bytes], Success]) -> Success | None:
    try:
        return read(without_lone_surrogates(body))
    except (ValueError, *DECODE_ERRORS):
        return None
