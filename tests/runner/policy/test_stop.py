"""When a run ends early, and with which exit code."""

from headrace.job import Failure
from headrace.policy.stop import ExitCode, StopReason, StopRules, most_severe, stop_reason_for


def test_one_failure_more_than_max_failures_stops_the_run() -> None:
    rules = StopRules(max_failures=2)

    assert [rules.failed(), rules.failed()] == [None, None]
    reason = rules.failed()
    assert reason is not None
    assert reason.exit_code == ExitCode.STOPPED


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


def test_the_reason_for_a_failure_that_ends_the_run_quotes_the_server_first_and_says_what_to_do() -> None:
    no_key = stop_reason_for(Failure(kind="credentials", message="401: invalid x-api-key.", status=401))
    assert no_key.exit_code == ExitCode.CREDENTIALS
    assert no_key.message.startswith("401: invalid x-api-key: ")

    no_credit = stop_reason_for(Failure(kind="spend_limit", message="402: Insufficient Balance", status=402))
    assert no_credit.exit_code == ExitCode.STOPPED
    assert no_credit.message.startswith("402: Insufficient Balance: ")
    assert "run the same command again" in no_credit.message
