"""What a response of the Messages API must contain to be a success."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, cast

import msgspec

from headrace.job import JobRequest, Success, Usage

from ._failures import NoAnswer
from ._finish_reasons import KNOWN_REASONS, Ending, FinishReasons
from ._json import encode, one_line
from ._judgement import AnswerRules, ending_of, read_answer
from ._usage import MessagesUsage, messages_usage, read_messages_usage


class _Block(msgspec.Struct, gc=False):
    """A content block: any object."""


class _Message(msgspec.Struct, gc=False):
    type: Literal["message"]
    content: list[_Block]
    stop_reason: str
    usage: MessagesUsage
    error: None = None


_DECODE_MESSAGE: Final = msgspec.json.Decoder(_Message).decode


def message_rules(reasons: FinishReasons) -> AnswerRules:
    """Return what an answer of the Messages API is, with the stop reasons that the run accepts."""
    exact = reasons.exact

    def read(body: bytes, _request: JobRequest | None) -> Success:
        """Hot: only these fields are decoded; the rest is skipped, which still checks that it is JSON."""
        message = _DECODE_MESSAGE(body)
        ending = exact.get(message.stop_reason)
        if ending is None:
            raise NoAnswer("an unknown stop reason")
        return Success(
            message=one_line(body),
            usage=messages_usage(message.usage),
            stop_reason=message.stop_reason,
            truncated=ending.truncated,
            filtered=ending.filtered,
        )

    def ending(value: Any, _request: JobRequest | None) -> Ending:
        return _ending(value, reasons)

    return AnswerRules(read=read, ending=ending, usage=_usage)


def _ending(value: Any, reasons: FinishReasons) -> Ending:
    if not isinstance(value, dict):
        raise NoAnswer("not a JSON object")
    message = cast("Mapping[str, Any]", value)
    if not _is_content(message.get("content")):
        raise NoAnswer("no `content`")
    reason = message.get("stop_reason")
    if reason is None:
        raise NoAnswer("no `stop_reason`: it is not complete")
    return ending_of(reason, reasons, "stop_reason")


def _is_content(content: object) -> bool:
    """Return whether a value is a content: a text, or a list of blocks or texts, none or at least one."""
    if isinstance(content, list):
        blocks = cast("list[Any]", content)
        return not blocks or any(isinstance(block, dict | str) for block in blocks)
    return isinstance(content, str)


def _usage(value: Any) -> Usage:
    return read_messages_usage(encode(value.get("usage")))


MESSAGE_RULES: Final = message_rules(KNOWN_REASONS)


def read_message(body: bytes) -> Success:
    """Return the success in a complete message. Raises one of `DECODE_ERRORS` if it is not one."""
    return read_answer(body, MESSAGE_RULES)


def read_recorded_message(message: bytes) -> Success:
    """Return the success in a recorded message, whose ending was judged when it was recorded.

    Raises one of `DECODE_ERRORS` if there is no message.
    """
    try:
        return read_message(message)
    except NoAnswer:
        value = msgspec.json.decode(message, type=dict[str, Any])
        if not _is_content(value.get("content")):
            raise
        reason = value.get("stop_reason")
        return Success(message=message, usage=_usage(value), stop_reason=reason and str(reason))
