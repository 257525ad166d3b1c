"""What a server's error is about: the content of one job, the model, or neither. Pure.

An error about a job's own content says nothing about the next job. An error about the model concerns all jobs
of that model and no others. Codes decide before texts. The texts are those of Anthropic, OpenAI, Azure,
Google, Groq, Mistral, OpenRouter, Alibaba, vLLM, SGLang, llama.cpp and LiteLLM.
"""

from __future__ import annotations

import re
from typing import Final

from headrace.job import Failure

_FLAGS: Final = re.VERBOSE | re.IGNORECASE
"""Of the patterns below. They are compiled when they are needed, which most runs never do: it takes 4 ms."""

_CONTENT_CODES: Final = r"""
    .*context_(length|window|size).*
    | (string|array)_(above|below)_m(ax|in)_(length|items) | string_too_(long|short)
    | .*(prompt|input|request|payload|context|messages?)_?too_?(long|large|big).*
    | request_entity_too_large
    | .*(invalid|unsupported|empty|corrupt)_?(image|audio|video|file|pdf|document|base64|url).*
    | (image|audio|video|file|pdf|document)_(too|parse|content|download|format|type|size|policy|decode|file).*
    | .*content_?(policy|filter|moderation|management|blocked).* | .*responsibleai.* | .*moderation.*
    | .*safety.* | .*data_?inspection_?failed.* | .*sensitive.* | .*prohibited_content.* | guardrail.*
    | .*_policy
    | invalid_prompt | prompt_(blocked|injection.*) | refusal | unsafe.*
    | tool_use_failed | json_validate_failed | output_parse_failed
    """
_CONTENT_TEXTS: Final = r"""
    \b(prompt|input|request|context|conversation|message|text|body|payload|content|tokens?)\b .{0,80}
        \b(too[ ](long|large|many)|exceeds?|exceeding|longer[ ]than|larger[ ]than|over[ ]the)\b
    | \b(maximum|max)[ ](context|input|prompt|sequence|request|model)[ ](length|size|len|tokens?)
    | context[ ](length|window|size|limit) | string[ ]too[ ](long|short) | (payload|entity)[ ]too[ ]large
    | \b(image|audio|video|pdf|document|base64|file|media[ _]type)s?\b .{0,60} \b(invalid|unsupported
        |not[ ](supported|valid)|process|decode|download|fetch|exceeds?|too|corrupt)\b
    | \b(invalid|unsupported|could[ ]not|cannot|failed[ ]to|unable[ ]to)\b .{0,40}
        \b(image|audio|video|pdf|document|base64|file)\b
    | content[ ](filter|management|policy|moderation) | (blocked|filtered|flagged|rejected)[ ].{0,60}
        (content|filter|moderation|safety|policy) | \bsafety[ ]system | inappropriate[ ]content
    | \bmoderation\b | \bflagged\b | usage[ ]polic(y|ies)\b | sensitive[ ](content|words)
    | \bmessages?[.\[ ]{1,2}\d+ | \bcontents?\[\d+ | \binput\[\d+ | \bmessages:[ ]
    | text[ ]content[ ]blocks | non-?empty[ ]content | roles[ ]must[ ]alternate
    | failed_generation | failed[ ]to[ ]call[ ]a[ ]function
    """
_OTHER_TEXTS: Final = (
    r"^\s*<|\b(account|organi[sz]ation|(api|virtual|your)[ ]key|subscription|billing|credits?|quota)\b"
)
"""An HTML page, or words about the account: not about the content, whatever else the text says."""
_MODEL_CODES: Final = (
    r"(unknown|invalid|unsupported|no_such)_model"
    r"|.*model_?(not_?|is_not_)(found|available|exist\w*|supported|active)"
    r"|.*model_?(decommissioned|deprecated|retired|not_?found\w*)|deployment_?not_?found"
)
_MODEL_TEXTS: Final = r"""
    model:[ ]\S+$
    | (the[ ])?(requested[ ]|specified[ ])?model\b .{0,120} \b(does[ ]not[ ]exist|not[ ](be[ ])?found
        | not[ ](available|supported|valid|a[ ]valid) | decommissioned | deprecated | retired | no[ ]longer
        | unavailable)
    | .{0,120}(access[ ]to|permission[ ]to[ ]use|authori[sz]ed[ ]to[ ]use)[ ](the[ ]|this[ ])?model
    | (invalid|unknown|unsupported|no[ ]such)[ ]model
    | no[ ](available[ ]|allowed[ ])?(endpoints?|channels?|providers?)\b
    | .{0,120}is[ ]not[ ]a[ ]valid[ ]model | models/\S+[ ]is[ ]not
    | .{0,80}deployment\b .{0,60}[ ]does[ ]not[ ]exist
    """
_HEAD: Final = re.compile(r"\d{3}( [\w.]*)?: ")
"""What `Failure.message` has before the server's own words."""
_MODEL_STATUSES: Final = frozenset({400, 403, 404, 410, 422})
_LOOKED_AT: Final = 300
"""Characters of a text that are looked at: servers say what is wrong before they quote the request."""


def own_text(failure: Failure) -> str:
    """Return the server's own words of a failure."""
    return failure.message[head.end() :] if (head := _HEAD.match(failure.message)) else failure.message


def is_about_content(failure: Failure) -> bool:
    """Return whether a failure is about the content of its job: the next job may be fine."""
    if failure.kind in ("bad_line", "too_large") or failure.status == 413:
        return True
    if failure.kind not in ("rejected", "credentials") or is_about_model(failure):
        return False
    if failure.code is not None and re.fullmatch(_CONTENT_CODES, failure.code, _FLAGS):
        return True
    text = own_text(failure)[:_LOOKED_AT]
    return bool(re.search(_CONTENT_TEXTS, text, _FLAGS)) and not re.search(_OTHER_TEXTS, text, _FLAGS)


def is_about_model(failure: Failure) -> bool:
    """Return whether a failure says that its model does not exist, or is not open to this account."""
    if failure.kind not in ("rejected", "credentials") or failure.status not in _MODEL_STATUSES:
        return False
    if failure.code is not None and re.fullmatch(_MODEL_CODES, failure.code, _FLAGS):
        return True
    return re.match(_MODEL_TEXTS, own_text(failure)[:_LOOKED_AT], _FLAGS) is not None
