"""One table of statuses: what the runner makes of each, and whether the attempt may have been billed."""

from __future__ import annotations

import pytest

from headrace.dialects import make_dialect
from headrace.job import Failure
from headrace.policy.options import RequestOptions
from headrace.policy.retry import GiveUp, Retry, RunRetryPolicy
from headrace_client.lowlevel import Response

PASSING = [
    # status, kind, may have been billed
    (408, "server", False),
    (409, "server", False),
    (424, "server", False),
    (425, "server", False),
    (429, "rate_limit", False),
    (498, "overloaded", False),
    (499, "server", False),
    (500, "server", False),
    (501, "server", False),
    (502, "server", True),
    (503, "overloaded", False),
    (504, "server", True),
    (507, "server", False),
    (520, "server", True),
    (521, "server", False),
    (522, "server", False),
    (523, "server", False),
    (524, "server", True),
    (525, "server", False),
    (526, "server", False),
    (527, "server", False),
    (529, "overloaded", False),
    (530, "server", False),
    (598, "server", True),
    (599, "server", False),
]
FINAL = [
    300,
    301,
    304,
    307,
    308,
    400,
    404,
    405,
    406,
    410,
    411,
    412,
    413,
    414,
    415,
    418,
    421,
    422,
    423,
    431,
    451,
]


def failure(dialect: str, status: int) -> Failure:
    response = Response(
        status=status,
        head=b"HTTP/1.1 %d \r\n\r\n" % status,
        body=b"",
        started_at=0.0,
        first_byte_at=0.0,
        finished_at=0.0,
    )
    outcome = make_dialect(dialect, RequestOptions()).judge(response)
    assert isinstance(outcome, Failure)
    return outcome


def verdict(failed: Failure) -> object:
    return RunRetryPolicy().verdict(failed, failures=0, attempts=1, jitter=0.5)


@pytest.mark.parametrize("dialect", ["anthropic", "openai"])
@pytest.mark.parametrize(("status", "kind", "maybe_billed"), PASSING)
def test_a_status_that_may_pass(dialect: str, status: int, kind: str, maybe_billed: bool) -> None:
    failed = failure(dialect, status)

    assert (failed.kind, failed.status, failed.sent) == (kind, status, maybe_billed)
    assert isinstance(verdict(failed), Retry)


@pytest.mark.parametrize("status", FINAL)
def test_a_status_that_does_not_pass(status: int) -> None:
    failed = failure("openai", status)

    assert failed.kind == ("redirect" if status < 400 else "rejected")
    assert failed.sent is False
    assert verdict(failed) == GiveUp()
