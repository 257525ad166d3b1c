"""Systemic failures (P19): what counts as 20 alike in a row, at any time of a run, and what never does."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.job import Failure, FailureKind, JobRequest, PreparedJob
from headrace.policy.error_subjects import is_about_content, is_about_model
from headrace.policy.options import OnSystemic
from headrace.policy.stop import ExitCode
from headrace.policy.systemic import (
    STREAK,
    EarlierFailure,
    Finding,
    ResultCount,
    SystemicRules,
    signature,
)

GONE = Failure(kind="rejected", message="400: the workspace was archived", status=400)
OTHER = Failure(kind="rejected", message="400: the project was archived", status=400)
FORBIDDEN = Failure(kind="credentials", message="403: not open to this address", status=403)
UNKNOWN_MODEL = Failure(
    kind="rejected", message="404 not_found_error: model: m", status=404, code="not_found_error"
)
TOO_LONG = Failure(
    kind="rejected", message="400 invalid_request_error: prompt is too long: 2 > 1", status=400
)
OUTAGE = Failure(kind="server", message="500: internal error", status=500)


def job(name: str = "a", model: str = "m", digest: str = "d") -> PreparedJob:
    request = JobRequest(path="/", body=b"", model=model, max_tokens=1, stream=False)
    return PreparedJob(id=name, line=1, source=None, digest=digest, request=request)


class Run:
    """Jobs that end one after the other."""

    def __init__(self, on_systemic: OnSystemic = "auto", **earlier: EarlierFailure) -> None:
        self.rules = SystemicRules(on_systemic=on_systemic, earlier=earlier)
        self.results: dict[str, int] = {}

    def succeed(self, model: str = "m") -> None:
        self.results[model] = self.results.get(model, 0) + 1

    def fail(self, failure: Failure, count: int = 1, *, model: str = "m", name: str = "a") -> Finding:
        finding = Finding()
        for _ in range(count):
            results = ResultCount(sum(self.results.values()), self.results.get(model, 0))
            finding = self.rules.failed(failure, job(name, model), results)
        return finding


@pytest.mark.parametrize("results_before", [0, 1, 50])
@pytest.mark.parametrize("failure", [GONE, FORBIDDEN, OUTAGE])
def test_20_alike_in_a_row_stop_the_run_at_any_time(failure: Failure, results_before: int) -> None:
    run = Run()
    for _ in range(results_before):
        run.succeed()

    assert run.fail(failure, STREAK - 1).reason is None
    reason = run.fail(failure).reason
    assert reason is not None
    credentials = failure.kind == "credentials"
    assert reason.exit_code == (ExitCode.CREDENTIALS if credentials else ExitCode.STOPPED)
    assert reason.message.startswith(failure.message)
    assert "--on-systemic" in reason.message
    assert "on_systemic" in reason.message


def test_a_result_in_between_begins_a_new_streak() -> None:
    run = Run()
    for _ in range(10):
        assert run.fail(GONE, STREAK - 1).reason is None
        run.succeed()

    assert run.fail(GONE, STREAK - 1).reason is None
    assert run.fail(GONE).reason is not None


def test_another_failure_in_between_begins_a_new_streak() -> None:
    run = Run()

    assert run.fail(GONE, STREAK - 1).reason is None
    assert run.fail(OTHER).reason is None
    assert run.fail(GONE, STREAK - 1).reason is None
    assert run.fail(GONE).reason is not None


def test_a_failure_about_a_jobs_content_neither_counts_nor_interrupts_a_streak() -> None:
    run = Run()

    assert run.fail(TOO_LONG, 1000) == Finding()
    run.fail(GONE, STREAK - 1)
    assert run.fail(TOO_LONG, 1000) == Finding()
    assert run.fail(GONE).reason is not None


def test_continue_never_stops_and_leaves_no_mark() -> None:
    assert Run("continue").fail(GONE, 1000) == Finding()


def test_each_failure_has_its_place_in_the_streak() -> None:
    run = Run()

    marks = [run.fail(GONE).streak for _ in range(STREAK + 5)]

    assert marks == [(signature(GONE, "m"), n) for n in range(1, STREAK + 6)]


def test_a_job_that_failed_so_in_the_streak_that_stopped_an_earlier_run_is_at_fault_itself() -> None:
    before = EarlierFailure(signature(GONE, "m"), "d", "recipe")
    run = Run(a=before)

    assert run.fail(GONE, 1000, name="a") == Finding(streak=(signature(GONE, "m"), 0))
    assert run.fail(GONE, STREAK - 1, name="b").reason is None
    assert run.fail(GONE, name="a").reason is None
    assert run.fail(GONE, name="b").reason is not None


@pytest.mark.parametrize(
    ("on_systemic", "failure", "digest"),
    [("stop", GONE, "d"), ("auto", OTHER, "d"), ("auto", GONE, "another line")],
)
def test_it_is_not_if_anything_has_changed_or_the_user_says_stop(
    on_systemic: OnSystemic, failure: Failure, digest: str
) -> None:
    run = Run(on_systemic, a=EarlierFailure(signature(GONE, "m"), digest, "recipe"))

    assert run.fail(failure, STREAK, name="a").reason is not None


def test_a_model_that_fails_while_others_have_results_is_ended_alone() -> None:
    run, found = Run(), list[Finding]()

    for _ in range(STREAK):
        run.succeed("good")
        found.append(run.fail(GONE, model="bad"))

    finding = found.pop()
    assert all(earlier.reason is None for earlier in found)
    assert finding.model == "bad"
    assert finding.reason is not None
    assert "model bad" in finding.reason.message


def test_a_result_of_the_model_keeps_it() -> None:
    run = Run()
    for _ in range(10):
        for _ in range(STREAK - 1):
            run.succeed("good")
            assert run.fail(GONE, model="bad").reason is None
        run.succeed("bad")


def test_an_unknown_model_is_ended_alone_even_if_no_other_has_a_result() -> None:
    finding = Run().fail(UNKNOWN_MODEL, STREAK, model="m")

    assert finding.model == "m"
    assert finding.reason is not None


def test_many_models_that_are_all_unknown_stop_the_run() -> None:
    run = Run()
    found = [run.fail(UNKNOWN_MODEL, model=f"m{n}") for n in range(STREAK)]

    assert [finding.reason is not None for finding in found] == [False] * (STREAK - 1) + [True]
    assert found[-1].model is None


ALIKE = {
    "numbers": ("limit 50 of 100 reached", "limit 51 of 100 reached"),
    "ids": ("request req_011CZLrUf failed", "request req_9xQ failed"),
    "uuids": (
        "trace c03b3526-bed4-49ed-8bd7-f20ef8830383 denied",
        "trace 16f2151a-40f4-4a80-8ad0-cae00c27e8dd denied",
    ),
    "double quotes": ('cannot take "a cat"', 'cannot take "my dog, twice"'),
    "single quotes": ("cannot take 'a cat'", "cannot take 'my dog'"),
    "backticks": ("cannot take `cat`", "cannot take `dog`"),
    "a quotation cut off": ('cannot take "a c', 'cannot take "my do'),
    "addresses": ("see https://x.test/a", "see https://x.test/b/c"),
    "dates": ("again at 2026-04-01 00:00 UTC", "again at 2026-04-02 12:30 UTC"),
    "white space and case": ("Not  Now", "not now"),
    "one long token": ("token " + "a" * 40 + " refused", "token " + "b" * 50 + " refused"),
    "JSON": ('{"error_id": 17, "reason": "closed"}', '{"error_id": 18, "reason": "closed"}'),
}
DIFFERENT = {
    "words": ("the workspace was archived", "the project was archived"),
    "words of JSON": ('{"reason": "closed"}', '{"reason": "full"}'),
    "apostrophes": ("it doesn't like the cat, don't ask", "it doesn't like the dog, don't ask"),
}


@pytest.mark.parametrize("texts", ALIKE.values(), ids=ALIKE.keys())
def test_what_may_belong_to_one_job_is_masked(texts: tuple[str, str]) -> None:
    first, second = (signature(Failure(kind="rejected", message=f"400: {text}"), "m") for text in texts)
    assert first == second


@pytest.mark.parametrize("texts", DIFFERENT.values(), ids=DIFFERENT.keys())
def test_other_words_are_another_failure(texts: tuple[str, str]) -> None:
    first, second = (signature(Failure(kind="rejected", message=f"400: {text}"), "m") for text in texts)
    assert first != second


@given(st.text(string.ascii_letters + " .,:;!?-", max_size=60), st.text(string.ascii_letters, max_size=40))
def test_no_quoted_content_tells_failures_apart(text: str, other: str) -> None:
    def quoted(content: str) -> str:
        return signature(Failure(kind="rejected", message=f'400: Invalid value: "{content}" is wrong'), "")

    assert quoted(text) == quoted(other)


def test_kind_status_and_code_tell_failures_apart() -> None:
    failures = [
        Failure(kind=kind, message="closed", status=status, code=code)
        for kind in ("rejected", "credentials")
        for status in (400, 403)
        for code in (None, "closed")
    ]

    assert len({signature(failure, "m") for failure in failures}) == len(failures)


def failure_of(status: int, code: str | None, text: str, kind: FailureKind | None = None) -> Failure:
    kind = kind or ("credentials" if status in (401, 403) else "rejected")
    return Failure(
        kind=kind, message=f"{status} {code or ''}".rstrip() + f": {text}", status=status, code=code
    )


ABOUT_CONTENT = [
    (400, "context_length_exceeded", "This model's maximum context length is 8192 tokens."),
    (400, "string_above_max_length", "Invalid 'messages[0].content': string too long."),
    (400, "invalid_image_url", "Failed to download image from https://x.test/a.png."),
    (400, "invalid_image_format", "You uploaded an unsupported image."),
    (400, "image_content_policy_violation", "Your request was rejected."),
    (400, "content_policy_violation", "Your request was rejected by our safety system."),
    (400, "content_filter", "The response was filtered due to the prompt triggering the policy."),
    (400, "invalid_prompt", "Your prompt was flagged."),
    (400, "data_inspection_failed", "Input data may contain inappropriate content."),
    (400, "DataInspectionFailed", "Input data may contain inappropriate content."),
    (400, "json_validate_failed", "Failed to generate JSON."),
    (400, "exceed_context_size_error", "the request exceeds the available context size"),
    (400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
    (400, "invalid_request_error", "input length and `max_tokens` exceed context limit: 1 + 2 > 2"),
    (400, "invalid_request_error", "Output blocked by content filtering policy"),
    (400, "invalid_request_error", "messages.0.content.1.image.source.base64: invalid base64 data"),
    (400, "invalid_request_error", "messages: text content blocks must be non-empty"),
    (400, "invalid_request_error", "messages.3: roles must alternate"),
    (400, "invalid_request_error", "Could not process image"),
    (400, "invalid_request_error", "The PDF specified was not valid."),
    (400, None, "The input token count (200) exceeds the maximum number of tokens allowed (100)."),
    (400, None, "The decoder prompt (length 9000) is longer than the maximum model length of 8192."),
    (
        400,
        "BadRequestError",
        "This model's maximum context length is 4096 tokens. However, you requested 5000",
    ),
    (403, None, "m/x requires moderation. Your input was flagged for: violence."),
    (413, None, "anything at all"),
    (413, "request_too_large", "Request exceeds the maximum size"),
    (
        422,
        None,
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192: inputs too long",
    ),
]
ABOUT_THE_REST = [
    (400, "invalid_request_error", "temperature: range: 0..1"),
    (400, "unsupported_parameter", "Unsupported parameter: 'max_tokens' is not supported with this model."),
    (400, "invalid_request_error", "max_tokens: 100000 > 8192, which is the maximum allowed number"),
    (400, None, "Unrecognized request argument supplied: thinkin"),
    (400, "invalid_request_error", "anthropic-version: header is required"),
    (403, None, "Country, region, or territory not supported"),
    (403, None, "Your account was flagged. Contact the support."),
    (403, "permission_error", "Your organization does not accept our usage policies yet"),
    (403, None, "<!DOCTYPE html><html><title>Attention! The content was blocked</title>"),
    (404, None, "404 page not found"),
    (405, None, "Method Not Allowed"),
    (412, None, "the deployment is paused"),
]
ABOUT_THE_MODEL = [
    (404, "not_found_error", "model: claude-nope"),
    (404, "model_not_found", "The model `gpt-nope` does not exist or you do not have access to it."),
    (403, "model_not_found", "Project `proj_x` does not have access to model `gpt-4`"),
    (400, "model_decommissioned", "The model `llama` has been decommissioned"),
    (404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
    (400, None, "nope/x is not a valid model ID"),
    (404, None, "No endpoints found for nope/x."),
    (404, None, "models/gemini-nope is not found for API version v1beta"),
    (400, "invalid_model", "Invalid model: nope"),
    (404, "NotFoundError", "The model `nope` does not exist."),
    (400, None, "Model not supported"),
]


@pytest.mark.parametrize(("status", "code", "text"), ABOUT_CONTENT)
def test_it_is_about_the_content_of_its_job(status: int, code: str | None, text: str) -> None:
    assert is_about_content(failure_of(status, code, text))
    assert not is_about_model(failure_of(status, code, text))


@pytest.mark.parametrize(("status", "code", "text"), ABOUT_THE_REST)
def test_it_is_about_neither_content_nor_model(status: int, code: str | None, text: str) -> None:
    assert not is_about_content(failure_of(status, code, text))
    assert not is_about_model(failure_of(status, code, text))


@pytest.mark.parametrize(("status", "code", "text"), ABOUT_THE_MODEL)
def test_it_is_about_the_model(status: int, code: str | None, text: str) -> None:
    assert is_about_model(failure_of(status, code, text))
    assert not is_about_content(failure_of(status, code, text))


@pytest.mark.parametrize("kind", ["bad_line", "too_large"])
def test_lines_that_cannot_be_parsed_and_answers_that_are_too_large_never_count(kind: FailureKind) -> None:
    assert is_about_content(Failure(kind=kind, message="anything"))


@pytest.mark.parametrize("kind", ["server", "timeout", "connection", "invalid_response", "overloaded"])
def test_outages_count_whatever_they_say(kind: FailureKind) -> None:
    assert not is_about_content(Failure(kind=kind, message="500: prompt is too long", status=500))
