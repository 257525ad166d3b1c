"""The Messages API: its requests, what its responses are worth, and Anthropic's batch results as records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs
import msgspec

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import Response

from ._dialect import Assembler, LineFormat
from ._finish_reasons import KNOWN_REASONS, FinishReasons
from ._judgement import AnswerRules, judge
from ._lines import optional, required_model
from ._messages_response import message_rules
from ._messages_stream import MessageEvents
from ._output_limits import limiting, service_tier
from ._streams import StreamAssembler
from .records import anthropic_failure, anthropic_success

MESSAGES_PATH: Final = "/v1/messages"
API_VERSION: Final = "2023-06-01"


@attrs.frozen
class MessagesDialect:
    """A `Dialect` for the Messages API."""

    lines: LineFormat
    reasons: FinishReasons = KNOWN_REASONS
    _rules: AnswerRules = attrs.field(
        init=False, default=attrs.Factory(lambda self: message_rules(self.reasons), takes_self=True)
    )

    default_base_url = "https://api.anthropic.com"
    key_variable = "ANTHROPIC_API_KEY"
    reserves_output_tokens = False
    success_record = staticmethod(anthropic_success)
    failure_record = staticmethod(anthropic_failure)

    def headers(self, key: str | None) -> dict[str, str]:
        version = {"anthropic-version": API_VERSION, "content-type": "application/json"}
        return {**version, "x-api-key": key} if key else version

    def judge(self, response: Response, request: JobRequest | None = None) -> Success | Failure:
        return judge(response, self._rules, request)

    def assembler(self, request: JobRequest | None = None, /) -> Assembler:
        return StreamAssembler(MessageEvents(self._rules, request))


def read_request(
    params: Mapping[str, Any],
    raw: bytes,
    body_keys: Mapping[str, object],
    *,
    kept: bytes | None,
) -> JobRequest:
    """Return the request with a Messages body: ``params`` decoded, ``raw`` as it stands in the line.

    The bytes are passed through untouched unless the options override a key. Raises `BadLine`.
    """
    fields = {**params, **body_keys} if body_keys else params
    return JobRequest(
        path=MESSAGES_PATH,
        body=msgspec.json.encode(fields) if body_keys else raw,
        model=required_model(fields),
        max_tokens=limiting(optional(fields, "max_tokens", int)),
        service_tier=service_tier(fields),
        stream=optional(fields, "stream", bool) or False,
        kept=kept,
    )
