"""What the two APIs share in judging an answer: a success if the API's rule says so, else why not (pure)."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from headrace.job import Failure, Success
from headrace_client.lowlevel import Response

from ._failures import failure_from_answer, invalid_response
from ._records import DECODE_ERRORS, repaired

_BLANKS = b" \t\r\n"


def judge(answer: Response, success: Callable[[bytes], Success]) -> Success | Failure:
    """Return what an answer is worth (P16).

    ``success`` reads a body and raises one of `DECODE_ERRORS` if it is not what the API answers.
    """
    if not 200 <= answer.status < 300:
        return failure_from_answer(answer)
    body = answer.body.strip(_BLANKS)
    try:
        return success(body)
    except msgspec.ValidationError as error:
        return invalid_response(str(error), answer)
    except DECODE_ERRORS as error:
        return _judge_repaired(body, success) or invalid_response(str(error), answer)


def _judge_repaired(body: bytes, success: Callable[[bytes], Success]) -> Success | None:
    try:
        return success(repaired(body))
    except (ValueError, *DECODE_ERRORS):
        return None
