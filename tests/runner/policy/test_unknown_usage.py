"""A budget takes the unknown at its worst: what is not reported, limited or certain costs its maximum."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace._exceptions import BadLine, RunRefused
from headrace.dialects import Dialect, make_dialect, read_usage
from headrace.job import UNKNOWN_USAGE, JobRequest, Usage
from headrace.output.cost import cost_of
from headrace.pacing._estimates import Estimates
from headrace.policy.budget import Budget, no_maximum_cost
from headrace.policy.options import RequestOptions
from headrace.policy.prices import Price, PriceList, read_prices
from headrace.policy.unconfirmed import UnconfirmedUsage, attempt_usage, unreported_tokens

PRICE = Price(input=1.0, output=100.0, cache_read=0.5, cache_creation=1.25)
PRICES = PriceList(as_of="2026-11-01", currency="USD", models={"m": PRICE})


def request(
    size: int = 10,
    max_tokens: int | None = 5,
    *,
    choices: int = 1,
    tier: str | None = None,
    body: bytes = b"",
) -> JobRequest:
    return JobRequest(
        path="/v1/chat/completions",
        body=body or b"x" * size,
        model="m",
        max_tokens=max_tokens,
        choices=choices,
        service_tier=tier,
        stream=False,
    )


def spent(job: JobRequest, usage: Usage) -> float:
    """What a budget has spent after one job."""
    budget = Budget(limit=1e9, prices=PRICES)
    budget.admitted(job)
    budget.succeeded(job, usage)
    assert budget.at_risk == 0
    return budget.spent


# -- answers


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (UNKNOWN_USAGE, 10 * 1.25 + 5 * 100),
        (Usage(input=None, output=2), 10 * 1.25 + 2 * 100),
        (Usage(input=3, output=None), 3 + 5 * 100),
        (Usage(input=3, output=2), 3 + 2 * 100),
        (Usage(input=30, output=20), 30 + 20 * 100),  # more than the maximum: taken as it is
        (Usage(input=3, output=2, cache_read=4, cache_creation=4), 3 + 2 * 100 + 4 * 0.5 + 4 * 1.25),
        (Usage(input=3, output=0, cache_creation=4, cache_creation_1h=3), 3 + 1.25 + 3 * 2.0),
    ],
)
def test_what_an_answer_does_not_report_costs_its_maximum(usage: Usage, cost: float) -> None:
    assert spent(request(), usage) == pytest.approx(cost)


@pytest.mark.parametrize("usage", [UNKNOWN_USAGE, Usage(input=3, output=None)])
def test_every_choice_may_have_used_all_of_its_tokens(usage: Usage) -> None:
    assert spent(request(choices=3), usage) - spent(request(choices=1), usage) == pytest.approx(2 * 500)


@pytest.mark.parametrize(
    ("requested", "served", "factor"),
    [
        (None, None, 1),
        (None, "default", 1),
        (None, "standard", 1),
        (None, "flex", 0.5),
        (None, "batch", 0.5),
        (None, "priority", 2),
        (None, "fast", 2),
        (None, "Fast", 2),
        (None, "something new", 1),
        ("flex", None, 1),  # a discount is not certain until an answer names it
        ("flex", "flex", 0.5),
        ("priority", None, 2),
        ("priority", "default", 1),
        ("auto", None, 2),
        ("auto", "default", 1),
    ],
)
def test_the_tier_that_served_a_request_decides_its_price(
    requested: str | None, served: str | None, factor: float
) -> None:
    usage = Usage(input=3, output=2, service_tier=served)
    unknown = Usage(input=None, output=None, service_tier=served)

    assert spent(request(tier=requested), usage) == pytest.approx(203 * factor)
    assert spent(request(tier=requested), unknown) == pytest.approx(512.5 * factor)


@pytest.mark.parametrize(
    ("tier", "factor"), [(None, 1), ("default", 1), ("flex", 1), ("priority", 2), ("fast", 2), ("auto", 2)]
)
def test_a_request_is_admitted_at_the_highest_price_of_its_tier(tier: str | None, factor: float) -> None:
    budget = Budget(limit=1e9, prices=PRICES)
    budget.admitted(request(tier=tier))

    assert budget.at_risk == pytest.approx(512.5 * factor)


def test_a_price_list_can_say_what_a_tier_costs() -> None:
    text = 'as_of = "x"\n[service_tiers]\nFlex = 1.0\nturbo = 3\n[models.m]\ninput = 1e6\noutput = 1e6'
    price = read_prices(text, "prices.toml").models["m"]

    assert price.of(Usage(output=2, service_tier="flex")) == pytest.approx(2)
    assert price.of(Usage(output=2, service_tier="turbo")) == pytest.approx(6)
    assert price.of(Usage(output=2, service_tier="priority")) == pytest.approx(4)


def test_an_hour_in_the_cache_has_a_price_of_its_own() -> None:
    text = (
        'as_of = "x"\n[models.m]\ninput = 1e6\noutput = 0\ncache_creation = 1.25e6\ncache_creation_1h = 3e6'
    )
    price = read_prices(text, "prices.toml").models["m"]

    assert PRICE.cache_creation_1h == pytest.approx(2 * PRICE.input)
    assert price.of(Usage(cache_creation=5, cache_creation_1h=5)) == pytest.approx(15)
    assert price.max_cost(request(body=b'{"ttl":"1h"}')) == pytest.approx(12 * 3)
    assert price.max_cost(request(body=b'{"ttl":"5m"}')) == pytest.approx(12 * 1.25)


@pytest.mark.parametrize("price", ["-1.0", "nan", "inf", '"free"'])
def test_a_price_that_would_lower_what_is_spent_is_refused(price: str) -> None:
    with pytest.raises(RunRefused, match="not a valid price list"):
        read_prices(f'as_of = "x"\n[models.m]\ninput = 1.0\noutput = {price}', "prices.toml")


# -- attempts without an answer


def test_an_attempt_that_may_have_been_billed_counts_every_choice() -> None:
    job = request(401, 50, choices=4)
    budget = Budget(limit=1e9, prices=PRICES)
    budget.admitted(job)
    budget.failed(job, maybe_billed=True)

    assert attempt_usage(job) == UnconfirmedUsage(1, 101 + 4 * 50)
    assert budget.spent == pytest.approx(401 * 1.25 + 4 * 50 * 100)


def test_pacing_expects_what_a_provider_reserves_for_every_choice() -> None:
    assert Estimates(reserves_output=True).cost(request(40, 50, choices=4)) == (1.0, 200, 0.0)
    assert Estimates(output=70.0).cost(request(40, 50, choices=4)) == (1.0, 10.0, 70.0)
    assert Estimates(output=70.0).cost(request(40, 50)) == (1.0, 10.0, 50)


def test_an_unknown_usage_changes_no_average_of_pacing() -> None:
    estimates = Estimates(tokens_per_byte=0.5, output=70.0)

    assert estimates.counted(request(40), UNKNOWN_USAGE) == (20, 70)
    assert estimates.counted(request(40), Usage(input=3, output=2, cache_creation=4)) == (7, 2)


# -- records of earlier runs


@pytest.mark.parametrize(
    ("usage", "cost"),
    [(UNKNOWN_USAGE, 512.5), (Usage(input=3, output=None), 503), (Usage(input=None, output=2), 212.5)],
)
def test_a_record_keeps_what_its_answer_did_not_report(usage: Usage, cost: float) -> None:
    reported = {"prompt_tokens": usage.input, "completion_tokens": usage.output}
    body = {
        "object": "chat.completion",
        "model": "m",
        "choices": [{"finish_reason": "stop"}],
        "usage": reported,
    }
    record = {
        "custom_id": "a",
        "response": {"status_code": 200, "body": body},
        "headrace": {"unreported_tokens": unreported_tokens(request(), usage)},
    }

    assert cost_of(read_usage(msgspec.json.encode(record)), PRICES) == pytest.approx(cost)


@pytest.mark.parametrize(("note", "input_cost"), [({}, 0), ({"unreported_tokens": (8, None)}, 10)])
def test_without_a_limit_the_size_of_an_answer_bounds_its_tokens(
    note: dict[str, object], input_cost: float
) -> None:
    body = {"object": "chat.completion", "model": "m", "choices": [{"finish_reason": "stop"}]}
    record = {"custom_id": "a", "response": {"status_code": 200, "body": body}, "headrace": note}

    cost = cost_of(read_usage(msgspec.json.encode(record)), PRICES)

    assert cost == pytest.approx(input_cost + len(msgspec.json.encode(body)) * 100)


# -- what limits the output of a request


CHAT, RESPONSES, EMBEDDINGS = "/v1/chat/completions", "/v1/responses", "/v1/embeddings"


@pytest.mark.parametrize(
    ("path", "body", "limit"),
    [
        (CHAT, {"max_tokens": 16}, 16),
        (CHAT, {"max_completion_tokens": 16}, 16),
        (CHAT, {"max_completion_tokens": 16, "max_tokens": 20}, 20),
        (CHAT, {"max_completion_tokens": None, "max_tokens": 20}, 20),
        (CHAT, {"max_completion_tokens": -1, "max_tokens": 20}, None),
        (CHAT, {}, None),
        (CHAT, {"max_tokens": None}, None),
        (CHAT, {"max_tokens": 0}, None),
        (CHAT, {"max_tokens": -1}, None),
        (CHAT, {"max_tokens": 10**400}, None),
        ("/openai/deployments/d/chat/completions?api-version=1", {"max_tokens": 16}, 16),
        ("/v1/completions", {"prompt": "Hi", "max_tokens": 16}, 16),
        ("/v1/completions", {"prompt": "Hi"}, None),
        (RESPONSES, {"max_output_tokens": 16}, 16),
        (RESPONSES, {"max_tokens": 16}, None),  # not one of its keys
        (RESPONSES + "?x=1", {"max_output_tokens": 16}, 16),
        (EMBEDDINGS, {"input": "x"}, 0),
        ("/openai/v1/embeddings/", {"input": "x", "max_tokens": None}, 0),
        ("/v1/moderations", {"input": "x"}, 0),
        ("/v2/rerank", {"query": "x"}, 0),
    ],
)
def test_a_limit_counts_if_its_endpoint_knows_it(
    path: str, body: dict[str, object], limit: int | None
) -> None:
    assert read(openai(), path, body).max_tokens == limit


@pytest.mark.parametrize(
    ("body", "choices"),
    [
        ({}, 1),
        ({"n": 1}, 1),
        ({"n": 4}, 4),
        ({"n": 4.0}, 4),
        ({"n": 3.5}, 4),
        ({"n": "4"}, 4),
        ({"n": None}, 1),
        ({"n": 0}, 1),
        ({"n": -4}, 1),
        ({"n": True}, 1),
        ({"n": [4]}, 1),
        ({"n": "four"}, 1),
        ({"n": 2, "best_of": 5}, 5),
        ({"n": 5, "best_of": 2}, 5),
        ({"best_of": 5}, 5),
        ({"prompt": "Hi", "n": 2}, 2),
        ({"prompt": ["Hi", "Ho", "Hu"], "n": 2}, 6),
        ({"prompt": [1, 2, 3], "n": 2}, 2),
        ({"prompt": [[1, 2], [3]], "n": 2}, 4),
        ({"prompt": []}, 1),
        ({"n": 10**400}, 10**6),
    ],
)
def test_every_choice_that_a_request_is_billed_for_counts(body: dict[str, object], choices: int) -> None:
    job = read(openai(), "/v1/completions", {**body, "max_tokens": 16})

    assert (job.choices, job.max_output) == (choices, 16 * choices)


def test_the_options_override_what_the_line_says() -> None:
    body: dict[str, object] = {"n": 2, "max_tokens": 16, "service_tier": "flex"}
    job = read(openai(set={"n": 3, "max_tokens": 20, "service_tier": "priority"}), CHAT, body)

    assert (job.choices, job.max_tokens, job.service_tier) == (3, 20, "priority")


@pytest.mark.parametrize(
    ("path", "body", "sent"),
    [
        (CHAT, {}, {"max_tokens": 7}),
        (CHAT, {"max_completion_tokens": 16}, {"max_completion_tokens": 7}),
        (
            CHAT,
            {"max_completion_tokens": 16, "max_tokens": 20},
            {"max_completion_tokens": 7, "max_tokens": 7},
        ),
        (RESPONSES, {}, {"max_output_tokens": 7}),
        (EMBEDDINGS, {"input": "x"}, {"input": "x"}),
    ],
)
def test_the_option_max_tokens_sets_the_key_that_the_endpoint_knows(
    path: str, body: dict[str, object], sent: dict[str, object]
) -> None:
    job = read(openai(max_tokens=7), path, body)

    assert msgspec.json.decode(job.body) == {"model": "m", **sent}
    assert job.max_tokens == (0 if path == EMBEDDINGS else 7)


@pytest.mark.parametrize("value", ["16", 16.0, True, [16]])
def test_a_limit_of_another_type_is_a_bad_line(value: object) -> None:
    with pytest.raises(BadLine, match="max_tokens must be an integer"):
        read(openai(), CHAT, {"max_tokens": value})


@pytest.mark.parametrize("limit", [None, 0, -1])
def test_a_message_without_a_limit_has_no_maximum(limit: int | None) -> None:
    text = msgspec.json.encode({"model": "m", "max_tokens": limit, "messages": [], "service_tier": "auto"})
    job = make_dialect("raw", RequestOptions()).lines.read(text)

    assert (job.max_output, job.choices, job.service_tier) == (None, 1, "auto")


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        (CHAT, {}, "use --set max_tokens=NUMBER"),
        (CHAT, {"max_tokens": -1}, "use --set max_tokens=NUMBER"),
        (CHAT, {"max_completion_tokens": None}, "use --set max_completion_tokens=NUMBER"),
        (RESPONSES, {"max_tokens": 16}, "use --set max_output_tokens=NUMBER"),
        (CHAT, {"model": "new", "max_tokens": 16}, "no price for model 'new'"),
        (CHAT, {"max_tokens": 16}, None),
        (RESPONSES, {"max_output_tokens": 16}, None),
        (EMBEDDINGS, {"input": "x"}, None),
    ],
)
def test_a_job_without_a_maximum_cost_says_which_key_to_set(
    path: str, body: dict[str, object], problem: str | None
) -> None:
    job = read(openai(), path, body)
    found = no_maximum_cost(job, PRICES)
    budget = Budget(limit=1e9, prices=PRICES)

    assert (found is None) == (problem is None) == budget.fits(job)
    assert problem is None or problem in (found or "")
    assert math.isinf(budget.max_cost(job)) == (problem is not None)


# -- any history


COUNTS = st.none() | st.integers(0, 30)
USAGES = st.builds(
    Usage,
    input=COUNTS,
    output=COUNTS,
    cache_read=st.integers(0, 5),
    cache_creation=st.integers(5, 9),
    cache_creation_1h=st.integers(0, 5),
    service_tier=st.sampled_from([None, "flex", "priority", "default"]),
)
REQUESTS = st.builds(
    request,
    st.integers(1, 50),
    st.integers(0, 30),
    choices=st.integers(1, 4),
    tier=st.sampled_from([None, "flex", "auto", "priority"]),
)
ENDINGS = st.sampled_from(["billed", "refused"]) | USAGES


@given(st.lists(st.tuples(REQUESTS, ENDINGS), max_size=20), st.integers(0, 20_000))
def test_what_is_spent_never_decreases_and_never_falls_below_what_is_known(
    history: Iterable[tuple[JobRequest, str | Usage]], limit: int
) -> None:
    budget, before, known = Budget(limit=limit, prices=PRICES), 0.0, 0.0
    for job, ending in history:
        if not budget.fits(job):
            continue
        budget.admitted(job)
        if isinstance(ending, Usage):
            budget.succeeded(job, ending)
            known += PRICE.of(ending)
        else:
            budget.failed(job, maybe_billed=ending == "billed")
        assert budget.spent >= before
        assert budget.spent >= known * (1 - 1e-9)
        before = budget.spent


def _within(job: JobRequest) -> st.SearchStrategy[Usage]:
    """What a server may report that keeps to the request: one token per byte, and its own limit."""
    size, output = len(job.body), job.max_output or 0
    return st.builds(
        Usage,
        input=st.none() | st.integers(0, size // 2),
        output=st.none() | st.integers(0, output),
        cache_read=st.integers(0, 0),
        cache_creation=st.integers(0, 0),
        service_tier=st.sampled_from(["flex", "default"]),
    )


@given(st.data(), st.integers(0, 20_000))
def test_a_limit_is_never_exceeded_while_servers_keep_to_theirs(data: st.DataObject, limit: int) -> None:
    budget = Budget(limit=limit, prices=PRICES)
    in_flight: list[JobRequest] = []
    for job in data.draw(st.lists(REQUESTS, max_size=15)):
        if budget.fits(job):
            budget.admitted(job)
            in_flight.append(job)
        if in_flight and data.draw(st.booleans()):
            done = in_flight.pop(data.draw(st.integers(0, len(in_flight) - 1)))
            budget.succeeded(done, data.draw(_within(done)))
        assert budget.spent + budget.at_risk <= limit * (1 + 1e-9)


# -- helpers


def openai(**options: object) -> Dialect:
    return make_dialect("openai", RequestOptions(**options))  # pyright: ignore[reportArgumentType]  (any option)


def read(dialect: Dialect, path: str, body: dict[str, object]) -> JobRequest:
    line = {"custom_id": "a", "method": "POST", "url": path, "body": {"model": "m", **body}}
    return dialect.lines.read(json.dumps(line).encode())
