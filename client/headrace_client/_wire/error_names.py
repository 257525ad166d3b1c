"""The status that an error's name or text stands for, where it has no number (pure).

Names are compared without case and separators, and without the ending "error" or "exception":
``rate_limit_error``, ``RateLimitError`` and ``RATE_LIMIT`` are the same name.

Sources: https://docs.anthropic.com/en/api/errors, https://platform.openai.com/docs/guides/error-codes,
https://grpc.github.io/grpc/core/md_doc_statuscodes.html (mapped as in google.rpc.Code), the exceptions of
Amazon Bedrock's InvokeModel, https://help.aliyun.com/zh/model-studio/error-code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from headrace_client._exceptions import STATUS_BY_TYPE

_NAMES: Final[Mapping[int, str]] = {
    400: """
        invalid_argument invalid_request failed_precondition out_of_range validation invalid_parameter
        invalid_value invalid_type missing_required_parameter unsupported_value unsupported_parameter
        invalid_prompt context_length_exceeded string_above_max_length content_filter
        content_policy_violation data_inspection_failed data_residency_mismatch bio_policy cyber_policy
        invalid_image invalid_image_format invalid_base64_image invalid_image_url invalid_image_mode
        image_too_large image_too_small image_parse_error image_content_policy_violation
        image_file_too_large unsupported_image_media_type empty_image_file failed_to_download_image
        image_file_not_found
        """,
    401: "unauthenticated invalid_api_key incorrect_api_key invalid_authentication account_deactivated",
    402: "billing payment_required insufficient_balance insufficient_credits insufficient_funds arrearage",
    403: "permission_denied access_denied unsupported_country_region_territory",
    404: "model_not_found resource_not_found deployment_not_found",
    408: "model_timeout",
    409: "aborted already_exists",
    413: "payload_too_large",
    422: "unprocessable",
    424: "model model_stream dependency_failed",
    429: """
        resource_exhausted rate_limit rate_limited rate_limit_exceeded rate_limit_reached throttling throttled
        insufficient_quota quota_exceeded exceeded_current_quota too_many_requests requests tokens
        limit_requests limit_burst_rate service_quota_exceeded model_not_ready ramp_limit_exceeded
        """,
    499: "cancelled canceled client_closed_request",
    500: "internal internal_server server unknown data_loss api vector_store_timeout",
    501: "unimplemented",
    503: "unavailable service_unavailable engine_overloaded slow_down model_overloaded server_overloaded",
    504: "deadline_exceeded timeout gateway_timeout upstream_timeout",
    529: "overloaded",
}

_ENDINGS: Final = ("exception", "error")


def _plain(name: str) -> str:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    for ending in _ENDINGS:
        plain = plain.removesuffix(ending)
    return plain


_STATUS_OF: Final[Mapping[str, int]] = {
    **{_plain(status.name): status.value for status in HTTPStatus if status >= 400},
    **{_plain(name): status for status, names in _NAMES.items() for name in names.split()},
    **{_plain(name): status for name, status in STATUS_BY_TYPE.items()},
}

_NUMBER_IN_TEXT: Final = re.compile(
    r"^\W*(?:http|api|upstream|server|status|error|code|response|request|failed|returned|with|[\s:=/.1_-])*"
    r"([45][0-9]{2})(?![0-9A-Za-z_.-])",
    re.IGNORECASE,
)
_TEXTS: Final = (
    (re.compile(r"\brate.?limit|too many requests|resource.?exhausted|throttl", re.IGNORECASE), 429),
    (re.compile(r"\boverloaded(?![a-z])", re.IGNORECASE), 529),
    (re.compile(r"(invalid|incorrect|missing|no) (api|access)[ -]?key|\bunauthorized\b", re.IGNORECASE), 401),
    (re.compile(r"insufficient (credit|balance|fund)|payment required", re.IGNORECASE), 402),
    (re.compile(r"service (temporarily )?unavailable", re.IGNORECASE), 503),
)
_SEPARATORS: Final = re.compile(r"[.#:/]")
_LONGEST_TEXT: Final = 300
"""A page or a prompt that mentions a rate limit is longer."""


def status_of_name(name: str) -> int | None:
    """Return the status that an error's type or code stands for, None if it is not known.

    ``Throttling.RateQuota``, ``litellm.RateLimitError``: one of the parts is enough.
    """
    parts = [name, *reversed(_SEPARATORS.split(name))]
    return next(filter(None, (_STATUS_OF.get(_plain(part)) for part in parts)), None)


def status_of_text(text: str) -> int | None:
    """Return the status that a short error text begins with or describes, None if there is none."""
    if not text or len(text) > _LONGEST_TEXT:
        return None
    if (found := _NUMBER_IN_TEXT.match(text)) is not None:
        return int(found[1])
    found_in_text = (status for pattern, status in _TEXTS if pattern.search(text))
    return _STATUS_OF.get(_plain(text)) or next(found_in_text, None)
