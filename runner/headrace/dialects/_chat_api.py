"""The OpenAI-compatible APIs: what their responses are worth, and OpenAI's batch results as records."""

from __future__ import annotations

import attrs

from headrace.job import Failure, JobRequest, Success
from headrace_client.lowlevel import Response

from ._chat_response import chat_rules
from ._chat_stream import ChatEvents
from ._dialect import Assembler, LineFormat
from ._finish_reasons import KNOWN_REASONS, FinishReasons
from ._judgement import AnswerRules, judge
from ._paths import last_segment
from ._response_stream import ResponseEvents
from ._streams import StreamAssembler
from .records import openai_failure, openai_success


@attrs.frozen
class ChatDialect:
    """A `Dialect` for OpenAI-compatible servers."""

    lines: LineFormat
    reasons: FinishReasons = KNOWN_REASONS
    _rules: AnswerRules = attrs.field(
        init=False, default=attrs.Factory(lambda self: chat_rules(self.reasons), takes_self=True)
    )

    default_base_url = "https://api.openai.com"
    key_variable = "OPENAI_API_KEY"
    reserves_output_tokens = True
    success_record = staticmethod(openai_success)
    failure_record = staticmethod(openai_failure)

    def headers(self, key: str | None) -> dict[str, str]:
        content = {"content-type": "application/json"}
        return {**content, "authorization": f"Bearer {key}"} if key else content

    def judge(self, response: Response, request: JobRequest | None = None) -> Success | Failure:
        return judge(response, self._rules, request)

    def assembler(self, request: JobRequest | None = None, /) -> Assembler:
        is_response = request is not None and last_segment(request.path) == "responses"
        return StreamAssembler((ResponseEvents if is_response else ChatEvents)(self._rules, request))
