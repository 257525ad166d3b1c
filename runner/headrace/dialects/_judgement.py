"""How both APIs judge a response: a success if its body holds a whole answer, else a failure (pure).

What decides is whether the answer is there and whole. Everything else is read leniently, on a second and
slower path for the bodies that the first one does not accept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from headrace.job import Failure, JobRequest, Success, Usage
from headrace_client.lowlevel import Response, TooDeepError, decode_json, error_in, is_deep

from ._failures import ErrorInside, NoAnswer, failure_from_response, refused
from ._finish_reasons import Ending, FinishReasons
from ._json import DECODE_ERRORS, encode, is_json, one_line

_BLANKS = b" \t\r\n"


@attrs.frozen(kw_only=True)
class AnswerRules:
    """What an answer of one API is. ``request``: what was asked for; None if it is not known any more."""

    read: Callable[[bytes, JobRequest | None], Success]
    """Read a body in the documented form, fast. Raises one of `DECODE_ERRORS` for any other."""
    ending: Callable[[Any, JobRequest | None], Ending]
    """Return how the answer in a decoded body ended. Raises `NoAnswer`."""
    usage: Callable[[Any], Usage]
    """Return the usage in a decoded body."""


def judge(response: Response, rules: AnswerRules, request: JobRequest | None = None) -> Success | Failure:
    """Return the success in a response, or why it holds none."""
    if not 200 <= response.status < 300:
        return failure_from_response(response)
    body = response.body.strip(_BLANKS)
    try:
        return read_answer(body, rules, request)
    except DECODE_ERRORS as error:
        return refused(error, body, status=response.status, request_id=response.request_id)


def read_answer(body: bytes, rules: AnswerRules, request: JobRequest | None = None) -> Success:
    """Return the success in a body.

    Raises `NoAnswer`, `ErrorInside`, or another of `DECODE_ERRORS` for a body that is not JSON or too deep.
    """
    if is_deep(body):
        raise TooDeepError
    try:
        return rules.read(body, request)
    except DECODE_ERRORS:
        pass
    value = decode_json(body)
    if (error := error_in(value)) is not None:
        raise ErrorInside(error)
    ending = rules.ending(value, request)
    return Success(
        message=one_line(body) if is_json(body) else encode(value),
        usage=rules.usage(value),
        stop_reason=ending.reason,
        truncated=ending.truncated,
        filtered=ending.filtered,
    )


def ending_of(reason: object, reasons: FinishReasons, name: str) -> Ending:
    """Return how an answer with this reason ended. Raises `NoAnswer` if the word is not accepted."""
    ending = reasons.ending(reason)
    if ending is None:
        raise NoAnswer(
            f"{name} is {reason!r}; --accept-finish-reason (accept_finish_reasons) accepts one more word"
        )
    return ending
