"""Errors about the account and not about one request: no credit, a spend limit, a suspension. Pure.

No job can succeed before the user has settled them with the provider, so they end a run at once. Providers
give them almost any status (Anthropic reports a limit that users set for themselves as a 400), so codes
decide first. Texts decide where there is no such code. They are compared with the beginning of the server's
message, because many servers quote the request further on, and a job may be about such messages.

Sources: https://platform.claude.com/docs/en/api/errors, https://developers.openai.com/api/docs/guides/spend-limits,
https://console.groq.com/docs/errors, https://openrouter.ai/docs/api-reference/errors,
https://api-docs.deepseek.com/quick_start/error_codes, https://www.alibabacloud.com/help/model-studio/error-code,
https://ai.google.dev/gemini-api/docs/troubleshooting, and reports of users where the documentation is silent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_CODES: Final = frozenset(
    {
        # Anthropic
        "billing_error",
        "contract_spend_limit_reached",
        "enforced_spend_limit_reached",
        "linked_organization_spend_limit_reached",
        # OpenAI
        "access_terminated",
        "account_deactivated",
        "billing_hard_limit_reached",
        "billing_not_active",
        "credit_balance_exhausted",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "project_spend_limit_exceeded",
        # Groq
        "blocked_api_access",
        "organization_restricted",
        # Alibaba, Moonshot, ByteDance, Zhipu
        "arrearage",
        "accountoverdueerror",
        "exceeded_current_quota_error",
        # Azure, Google
        "readonlydisabledsubscription",
        "subscriptiondisabled",
        "billing_disabled",
        # gateways
        "budget_exceeded",
        "credits_exhausted",
        "insufficient_balance",
        "insufficient_credits",
        "insufficient_funds",
        "insufficient_user_quota",
        "not_enough_balance",
        "payment_required",
        "spend_limit_exceeded",
    }
)
"""In lower case."""

_TEXTS: Final = (
    # Anthropic
    r"you have reached your specified (workspace )?api usage limits",
    r"your credit balance is too low",
    r"credit balance is too low",
    r"(this|your) organization has been (disabled|suspended|restricted)",
    r"your account has been (disabled|suspended|deactivated)",
    # OpenAI
    r"billing hard limit has been reached",
    r"your account is not active, please check your billing",
    r"your access was terminated",
    r"(the openai account associated with this api key|this key is associated with a)\W.{0,20}deactivated",
    # Groq
    r"organization has been restricted",
    # OpenRouter
    r"key limit exceeded",
    r"insufficient credits",
    r"this request requires more credits",
    r"more credits are required",
    # DeepSeek, Moonshot, Zhipu
    r"insufficient (account )?balance",
    "余额不足",  # the balance is insufficient
    r"your account .{0,80}(is suspended|in arrears|exceeded_current_quota)",
    # Alibaba, ByteDance
    r"access denied, please make sure your account is in good standing",
    r"access denied due to overdue account",
    r"the request failed because your account has an overdue balance",
    # SiliconFlow, Novita, One API
    r"(sorry, )?your account balance is insufficient",
    r"not enough balance",
    r"user quota is not enough",
    "该令牌额度已用尽",  # the quota of this token is used up
    # Fireworks, Together
    r"account \S+ is (suspended|disabled)\b",
    r"credit limit exceeded",
    # xAI
    r"your (newly created )?team .{0,80}(used all available credits|doesn't have any credits)",
    r"you have run out of credits",
    # Google
    r"your prepayment credits are depleted",
    r"this api method requires billing to be enabled",
    r"billing (account .{0,80} (is|not) |is disabled|has not been enabled)",
    # Azure
    r"the subscription .{0,60} is disabled",
    # Mistral
    r"inactive subscription or usage limit reached",
    # LiteLLM
    r"budget has been exceeded",
    r"exceededbudget\b",
)
_WRAPPERS: Final = (
    r"(?:[\w.]*(?:error|exception)(?:\scode:\s\d{3})?\s*[:\-]\s*)*"
    r"""(?:[b'"]*\{[^{}]*(?:\{[^{}]*?)?['"]message['"]:\s*['"])?"""
)
"""What gateways put before the message of the server behind them: exception names, and its JSON."""
_TEXT: Final = rf"\s*{_WRAPPERS}(?:{'|'.join(_TEXTS)})"
"""Compiled when it is needed, which most runs never do: it takes 2 ms."""

_PAYMENT_REQUIRED: Final = 402


def is_account_error(status: int, codes: Iterable[str], text: str) -> bool:
    """Return whether a status outside 2xx and its error body say that the account cannot be used for now.

    ``codes``: the error's codes and type. ``text``: the server's own message.
    """
    if status == _PAYMENT_REQUIRED:
        return True
    if not 400 <= status < 500:
        return False
    return any(code.lower() in _CODES for code in codes) or re.match(_TEXT, text, re.IGNORECASE) is not None
