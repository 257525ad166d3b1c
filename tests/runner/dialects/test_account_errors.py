"""Systemic failure (P19): the spend limits and account errors of all providers end a run at once."""

from __future__ import annotations

from typing import Any

import pytest

from headrace.dialects._account_errors import is_account_error
from headrace.dialects._failures import failure_from_response
from headrace.policy.retry import RunRetryPolicy, StopRun
from tests.runner.dialects.samples import answer


def anthropic(text: str, kind: str = "invalid_request_error", **details: str) -> dict[str, Any]:
    error: dict[str, Any] = {"type": kind, "message": text}
    return {
        "type": "error",
        "error": {**error, "details": details} if details else error,
        "request_id": "req_1",
    }


def openai(text: str, code: object = None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": text, "type": kind, "param": None, "code": code}}


NO_LONGER = "Access denied, please make sure your account is in good standing."
ACCOUNT_ERRORS: list[tuple[int, object]] = [
    # Anthropic
    (
        400,
        anthropic("You have reached your specified API usage limits. You will regain access on"),
    ),
    (400, anthropic("You have reached your specified workspace API usage limits. You will regain access on")),
    (429, anthropic("You have reached your specified API usage limits.", "rate_limit_error")),
    (400, anthropic("Your credit balance is too low to access the Anthropic API. Please go to Plans")),
    (400, anthropic("This organization has been disabled.")),
    (403, anthropic("This organization has been disabled.", "permission_error")),
    (402, anthropic("anything", "billing_error")),
    (400, anthropic("anything", "billing_error")),
    (429, anthropic("anything", "rate_limit_error", error_code="enforced_spend_limit_reached")),
    (429, anthropic("anything", "rate_limit_error", error_code="contract_spend_limit_reached")),
    (429, anthropic("anything", "rate_limit_error", error_code="linked_organization_spend_limit_reached")),
    # OpenAI
    (
        400,
        openai("Billing hard limit has been reached", "billing_hard_limit_reached", "invalid_request_error"),
    ),
    (400, openai("Billing hard limit has been reached")),
    (429, openai("You exceeded your current quota, please check your plan", "insufficient_quota")),
    (429, openai("You exceeded your current quota", None, "insufficient_quota")),
    (429, openai("The limit is reached.", "organization_spend_limit_exceeded", "insufficient_quota")),
    (429, openai("The limit is reached.", "project_spend_limit_exceeded")),
    (429, openai("The limit is reached.", "organization_usage_limit_exceeded")),
    (429, openai("No credits.", "credit_balance_exhausted")),
    (429, openai("Your account is not active, please check your billing details", "billing_not_active")),
    (
        403,
        openai(
            "The OpenAI account associated with this API key has been deactivated.", "account_deactivated"
        ),
    ),
    (400, openai("The OpenAI account associated with this API key has been deactivated.")),
    (429, openai("Your access was terminated due to violation of our policies", None, "access_terminated")),
    # Groq
    (400, openai("API access is blocked by your spend limit", "blocked_api_access", "invalid_request_error")),
    (400, openai("Organization has been restricted. Please reach out", "organization_restricted")),
    # OpenRouter
    (
        403,
        openai("Key limit exceeded (total limit). Manage it using https://openrouter.ai/settings/keys", 403),
    ),
    (402, openai("This request requires more credits, or fewer max_tokens.", 402)),
    (402, openai("Insufficient credits. Add more", 402)),
    # DeepSeek, Moonshot, Zhipu
    (402, openai("Insufficient Balance", "invalid_request_error", "unknown_error")),
    (400, openai("Insufficient Balance", "invalid_request_error", "unknown_error")),
    (
        429,
        openai(
            "Your account org-1 is suspended, please check your plan", None, "exceeded_current_quota_error"
        ),
    ),
    (429, openai("余额不足或无可用资源包,请充值。", "1113")),
    (429, openai("Insufficient balance or no resource package. Please recharge.", "1113")),
    # SiliconFlow, Novita
    (403, {"code": 30001, "message": "Sorry, your account balance is insufficient", "data": None}),
    (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "not enough balance"}),
    # Alibaba, ByteDance
    (400, openai(NO_LONGER, "Arrearage", "Arrearage")),
    (400, openai(NO_LONGER)),
    (403, openai("Access denied due to overdue account")),
    (403, openai("The request failed because your account has an overdue balance.", "AccountOverdueError")),
    # Fireworks, Together
    (
        412,
        openai("Account me is suspended, possibly due to the monthly spending limit", "PRECONDITION"),
    ),
    (402, openai("Credit limit exceeded, please navigate to the billing page", "credit_limit")),
    # xAI
    (
        429,
        {
            "code": "Some resource has been exhausted",
            "error": "Your team 16f2 has either used all available credits or reached its monthly limit.",
        },
    ),
    (403, {"code": "x", "error": "Your newly created team doesn't have any credits or licenses yet."}),
    (403, {"code": "x", "error": "You have run out of credits or need a Grok subscription."}),
    # Google
    (429, openai("Your prepayment credits are depleted. Please go to AI Studio", 429)),
    (403, openai("This API method requires billing to be enabled. Please enable billing on project #1", 403)),
    # Azure
    (
        403,
        openai("The subscription 'de60' is disabled.", "ReadOnlyDisabledSubscription"),
    ),
    # Mistral
    (401, {"message": "Inactive subscription or usage limit reached", "request_id": "x"}),
    # One API, New API
    (403, openai("user quota is not enough (request id: 1)", "insufficient_user_quota", "new_api_error")),
    (403, openai("预扣费额度失败", "insufficient_user_quota", "new_api_error")),
    (403, openai("user quota is not enough")),
    (401, openai("该令牌额度已用尽 TokenStatusExhausted", "", "new_api_error")),
    # LiteLLM
    (400, openai("Budget has been exceeded! Current cost: 26.0, Max budget: 25.0", "400", "budget_exceeded")),
    (429, openai("ExceededBudget: End User=u over budget. Spend=0.2, Budget=0.1", "429")),
    (400, openai("litellm.BadRequestError: DeepseekException - Insufficient Balance", "400")),
    (
        400,
        openai(
            'litellm.BadRequestError: AnthropicException - {"type":"error","error":{"type":'
            '"invalid_request_error","message":"Your credit balance is too low to access."}}'
        ),
    ),
    (
        429,
        openai(
            "OpenAIException - Error code: 429 - {'error': {'message': 'Your account is not active, "
            "please check your billing details on our website.', 'type': 'x'}}"
        ),
    ),
]
OTHERS: list[tuple[int, object]] = [
    (429, openai("Rate limit reached for requests", "rate_limit_exceeded", "requests")),
    (429, anthropic("This request would exceed your organization's rate limit", "rate_limit_error")),
    # Google says this of a limit per minute.
    (
        429,
        openai(
            "You exceeded your current quota, please check your plan and billing details. Retry in 7s", 429
        ),
    ),
    (400, openai("This model's maximum context length is 10", "context_length_exceeded")),
    (400, openai("Invalid value: 'You have reached your specified API usage limits.' is no role")),
    (400, anthropic('messages.0.content: unexpected value "Your credit balance is too low"')),
    (400, openai("Invalid JSON: {'role': 'user', 'message': 'Key limit exceeded'}", "invalid_json")),
    (400, openai("The prompt may not contain: Insufficient Balance")),
    (403, openai("Country, region, or territory not supported", "unsupported_country_region_territory")),
    (404, openai("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found")),
    (500, openai("Insufficient Balance of workers", "server_error")),
    (503, openai("Billing service unavailable", "insufficient_quota")),
]


@pytest.mark.parametrize(("status", "body"), ACCOUNT_ERRORS, ids=str)
def test_it_ends_the_run(status: int, body: object) -> None:
    failure = failure_from_response(answer(status, body))

    assert failure.kind == "spend_limit"
    assert RunRetryPolicy().verdict(failure, failures=0, attempts=1, jitter=0.0) == StopRun()


@pytest.mark.parametrize(("status", "body"), OTHERS, ids=str)
def test_it_does_not(status: int, body: object) -> None:
    assert failure_from_response(answer(status, body)).kind != "spend_limit"


@pytest.mark.parametrize("status", [200, 301, 500, 503, 529])
def test_only_a_4xx_is_an_account_error(status: int) -> None:
    assert not is_account_error(status, ["insufficient_quota"], "Insufficient Balance")


@pytest.mark.parametrize("code", ["Arrearage", "INSUFFICIENT_QUOTA", "billing_not_active"])
def test_codes_are_compared_in_any_case(code: str) -> None:
    assert is_account_error(400, ["invalid_request_error", code], "")
