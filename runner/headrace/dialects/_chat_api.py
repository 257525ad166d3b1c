"""The OpenAI-compatible APIs: what their responses are worth, and OpenAI's batch results as records."""

from __future__ import annotations

import attrs

from headrace.job import Failure, Success
from headrace_client.lowlevel import Response

from ._chat_response import read_chat_response
from ._chat_stream import ChatEvents
from ._dialect import Assembler, LineFormat
from ._judgement import judge
from ._response_stream import ResponseEvents, last_segment
from ._streams import StreamAssembler
from .records import openai_failure, openai_success


@attrs.frozen
class ChatDialect:
    """A `Dialect` for OpenAI-compatible servers."""

    lines: LineFormat

    default_base_url = "https://api.openai.com"
    key_variable = "OPENAI_API_KEY"
    reserves_output_tokens = True
    success_record = staticmethod(openai_success)
    failure_record = staticmethod(openai_failure)

    def headers(self, key: str | None) -> dict[str, str]:
        content = {"content-type": "application/json"}
        return {**content, "authorization": f"Bearer {key}"} if key else content

    def judge(self, response: Response) -> Success | Failure:
        return judge(response, read_chat_response)

    def assembler(self, path: str = "", /) -> Assembler:
        is_response = last_segment(path) == "responses"
        return StreamAssembler(ResponseEvents() if is_response else ChatEvents())
