"""The records of an output and its error file: the providers' batch results, plus the key ``headrace``.

A record is one line of JSON. Input in Anthropic's format, and input without a format of its own, gives::

    {"custom_id": "a-1", "result": {"type": "succeeded", "message": {...}}, "headrace": {...}}
    {"custom_id": "a-2", "result": {"type": "errored", "error": {...}}, "headrace": {...}}

Input in OpenAI's format gives::

    {"id": "batch_req_..", "custom_id": "a-1",
     "response": {"status_code": 200, "request_id": "..", "body": {...}}, "error": null, "headrace": {...}}
    {"id": "batch_req_..", "custom_id": "a-2",
     "response": null, "error": {"code": "timeout", "message": ".."}, "headrace": {...}}

Under ``headrace`` stands the job's `Note`; a failure's also has ``failed``, its kind, and ``refused_answer``,
the last 2xx answer that was not accepted, if there was one: JSON as it came, or a string of what is not JSON.
The providers' own batch results, which lack the key ``headrace``, are read too.

Nothing outside this folder knows these shapes.
"""

from __future__ import annotations

from ._read import (
    BadRecord,
    RecordedResult,
    RecordedUsage,
    RecordIdentity,
    read_identity,
    read_result,
    read_usage,
)
from ._write import anthropic_failure, anthropic_success, openai_failure, openai_success

__all__ = [
    "BadRecord",
    "RecordIdentity",
    "RecordedResult",
    "RecordedUsage",
    "anthropic_failure",
    "anthropic_success",
    "openai_failure",
    "openai_success",
    "read_identity",
    "read_result",
    "read_usage",
]
