"""When a run ends early, and with which exit code."""

from headrace.job import Failure
from headrace.policy.stop import (
    SYSTEMIC_FAILURES,
    ExitCode,
    StopReason,
    StopRules,
    most_severe,
    stop_reason_for,
)

UNKNOWN_MODEL = Failure(kind="rejected", message="model: nope", status=404, code="not_found_error")
TOO_LONG = Failure(kind="rejected", message="prompt is too long", status=400)
FORBIDDEN = Failure(kind="credentials", message="not yours", status=403)


def reasons(rules: StopRules, failures: list[Failure]) -> list[StopReason]:
    return [reason for failure in failures if (reason := rules.failed(failure))]


def test_the_same_error_for_every_one_of_the_first_jobs_stops_the_run() -> None:
    [reason] = reasons(StopRules(), [UNKNOWN_MODEL] * SYSTEMIC_FAILURES)

    assert reason.exit_code == ExitCode.STOPPED
    assert reason.message == (
        "the first 20 jobs all failed with the same error: model: nope."
        " Fix it, then run the same command again."
    )


def test_rejected_credentials_have_their_own_exit_code() -> None:
    [reason] = reasons(StopRules(), [FORBIDDEN] * SYSTEMIC_FAILURES)

    assert reason.exit_code == ExitCode.CREDENTIALS


def test_after_one_success_or_another_error_no_failure_is_systemic() -> None:
    after_success = StopRules()
    after_success.succeeded(1)

    assert reasons(after_success, [UNKNOWN_MODEL] * 100) == []
    assert reasons(StopRules(), [TOO_LONG, *[UNKNOWN_MODEL] * 100]) == []


def test_lines_that_cannot_be_parsed_are_not_systemic() -> None:
    assert reasons(StopRules(), [Failure(kind="bad_line", message="no JSON")] * 100) == []


def test_one_failure_more_than_max_failures_stops_the_run() -> None:
    rules = StopRules(max_failures=2)
    rules.succeeded(10)

    assert reasons(rules, [TOO_LONG, TOO_LONG]) == []
    assert [reason.exit_code for reason in reasons(rules, [TOO_LONG])] == [ExitCode.STOPPED]


def test_the_most_severe_reason_decides_the_exit_code() -> None:
    codes = [
        ExitCode.STOPPED,
        ExitCode.CREDENTIALS,
        ExitCode.STORAGE,
        ExitCode.TERMINATED,
        ExitCode.INTERRUPTED,
    ]
    chosen: list[ExitCode | None] = []
    for n in range(1, len(codes) + 1):
        reason = most_severe([StopReason(code, "") for code in codes[:n]])
        chosen.append(reason and reason.exit_code)

    assert chosen == codes
    assert most_severe([]) is None


def test_the_reason_for_a_failure_that_ends_the_run_says_what_to_do() -> None:
    assert (
        stop_reason_for(Failure(kind="credentials", message="invalid x-api-key", status=401)).exit_code == 77
    )
    assert "run the same command again" in stop_reason_for(Failure(kind="spend_limit", message="cap")).message
