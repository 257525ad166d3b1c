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


def test_the_same_terminal_error_for_each_of_the_first_answers_stops_the_run() -> None:
    [reason] = reasons(StopRules(), [UNKNOWN_MODEL] * SYSTEMIC_FAILURES)

    assert reason.exit_code == ExitCode.STOPPED
    assert "model: nope" in reason.message


def test_refused_credentials_have_their_own_exit_code() -> None:
    [reason] = reasons(StopRules(), [FORBIDDEN] * SYSTEMIC_FAILURES)

    assert reason.exit_code == ExitCode.CREDENTIALS


def test_one_success_or_one_other_error_means_that_nothing_is_systemic() -> None:
    after_success = StopRules()
    after_success.succeeded(1)

    assert reasons(after_success, [UNKNOWN_MODEL] * 100) == []
    assert reasons(StopRules(), [TOO_LONG, *[UNKNOWN_MODEL] * 100]) == []


def test_bad_lines_are_no_answers_of_the_server() -> None:
    assert reasons(StopRules(), [Failure(kind="bad_line", message="no JSON")] * 100) == []


def test_max_failures_is_passed_by_the_first_failure_too_many() -> None:
    rules = StopRules(max_failures=2)
    rules.succeeded(10)

    assert reasons(rules, [TOO_LONG, TOO_LONG]) == []
    assert [reason.exit_code for reason in reasons(rules, [TOO_LONG])] == [ExitCode.STOPPED]


def test_precedence_of_exit_codes() -> None:
    codes = [
        ExitCode.STOPPED,
        ExitCode.CREDENTIALS,
        ExitCode.STORAGE,
        ExitCode.TERMINATED,
        ExitCode.INTERRUPTED,
    ]
    seen: list[ExitCode | None] = []
    for n in range(1, len(codes) + 1):
        weighty = most_severe([StopReason(code, "") for code in codes[:n]])
        seen.append(weighty and weighty.exit_code)

    assert seen == codes
    assert most_severe([]) is None


def test_a_failure_that_ends_the_run_says_what_to_do() -> None:
    assert (
        stop_reason_for(Failure(kind="credentials", message="invalid x-api-key", status=401)).exit_code == 77
    )
    assert "run the same command again" in stop_reason_for(Failure(kind="spend_limit", message="cap")).message
