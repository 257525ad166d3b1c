"""Price lists: ours is valid, an invalid one is rejected, a model with merely a similar name has no price."""

import pytest

from headrace._exceptions import RunRefused
from headrace.job import Usage
from headrace.policy.prices import own_prices, read_prices

LIST = """
as_of = "2025-01-01"
[models]
"big" = { input = 10.0, output = 20.0 }
"big-mini" = { input = 1.0, output = 2.0, cache_read = 0.1, cache_creation = 1.25 }
"""


def test_our_own_list_is_valid_and_has_the_current_models() -> None:
    price = own_prices().price("claude-sonnet-4-5-20250929")

    assert price is not None
    assert 0 < price.cache_read < price.input < price.cache_creation < price.output


@pytest.mark.parametrize("model", ["big-mini", "big-mini-20250929", "big-mini-2025-09-29", "big-mini-latest"])
def test_a_model_is_looked_up_by_its_name_without_the_date(model: str) -> None:
    mini = read_prices(LIST, "list").price(model)

    assert mini is not None
    assert mini.of(Usage(input=1_000_000, output=500_000, cache_read=2_000_000)) == pytest.approx(2.2)


@pytest.mark.parametrize("model", ["small", "big-2", "big-mini-audio", "bigger", "ft:big:me", ""])
def test_a_model_whose_name_is_merely_similar_has_no_price(model: str) -> None:
    assert read_prices(LIST, "list").price(model) is None


def test_a_model_that_is_not_in_the_list_costs_at_most_the_highest_prices() -> None:
    highest = read_prices(LIST, "list").price_or_highest("small")

    assert (highest.input, highest.output) == pytest.approx((10e-6, 20e-6))


def test_cached_tokens_cost_as_much_as_others_unless_the_list_has_a_price() -> None:
    big = read_prices(LIST, "list").price("big")

    assert big is not None
    assert big.cache_read == big.cache_creation == big.input


@pytest.mark.parametrize("text", ["models = 3", "as_of = 'x'\n[models.a]\ninput = 'y'", "[[", ""])
def test_an_invalid_price_list_is_rejected_with_its_name(text: str) -> None:
    with pytest.raises(RunRefused, match=r"mine\.toml"):
        read_prices(text, "mine.toml")
