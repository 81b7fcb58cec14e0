"""What a turn costs, by the list of prices that comes with Upcall and by an operator's own."""

import importlib.util
import json
import random
import subprocess
import sys
from datetime import date
from typing import Any

import pytest
from pydantic import ValidationError

from upcall.domain.completion_window import CompletionWindow
from upcall.domain.prices import FILE, OwnPrices, Price, PriceList, priced
from upcall.domain.usage import NO_USAGE, Usage

LIST: dict[str, Any] = json.loads(FILE.read_text("utf-8"))


def test_the_list_says_where_its_figures_are_from_and_when() -> None:
    assert "genai-prices" in LIST["source"]
    assert "MIT" in LIST["source"]
    assert date.fromisoformat(LIST["date"]) <= date.today()


@pytest.mark.parametrize("entry", LIST["models"], ids=lambda entry: entry["names"][0])
def test_each_model_of_the_list_has_names_and_prices(entry: dict[str, Any]) -> None:
    prices = {name: value for name, value in entry.items() if name != "names"}
    price = Price.model_validate(prices)

    assert entry["names"]
    assert price.cached_input is None or 0 < price.cached_input <= price.input
    assert price.long is None or price.long.from_tokens > 0
    assert len(price.model_dump_json()) < 300, "it lies in the state of each workflow"


def test_no_name_is_in_the_list_twice() -> None:
    names = [name for entry in LIST["models"] for name in entry["names"]]

    assert len(names) == len(set(names))


def test_the_default_model_of_the_template_has_a_price() -> None:
    assert PriceList().find("gpt-5.4-mini") == Price(input=0.75, cached_input=0.075, output=4.5)


@pytest.mark.parametrize("model", ["openai/gpt-5.4-mini", "gpt-5.4-mini-2026-03-17"])
def test_prefixed_and_dated_names_have_the_price_of_their_model(model: str) -> None:
    assert PriceList().find(model) == PriceList().find("gpt-5.4-mini")


@pytest.mark.parametrize(
    "model", ["", "no-such-model", "gpt-6-luna-2026-13", "openai/", "llama-4", "GPT-6-LUNA*"]
)
def test_an_unknown_model_has_no_price(model: str) -> None:
    assert PriceList().find(model) is None


def test_cached_input_has_its_own_price_and_reasoning_is_output() -> None:
    price = Price(input=2, cached_input=0.5, output=10)
    usage = Usage(
        input_tokens=1_000_000,
        cached_tokens=400_000,
        output_tokens=100_000,
        reasoning_tokens=60_000,
        total_tokens=1_100_000,
    )

    assert price.cost_of(usage) == pytest.approx(0.6 * 2 + 0.4 * 0.5 + 0.1 * 10)


def test_input_that_is_cached_for_later_has_its_own_price_too() -> None:
    usage = Usage(input_tokens=1000, cached_tokens=100, cache_write_tokens=800)

    assert Price(input=2, cached_input=0.2, cache_write=2.5, output=10).cost_of(usage) == 0.00222
    assert Price(input=2, output=10).cost_of(usage) == 0.002


def test_cached_input_without_a_price_of_its_own_costs_what_input_does() -> None:
    usage = Usage(input_tokens=1000, cached_tokens=1000)

    assert Price(input=2, output=10).cost_of(usage) == 0.002


def test_a_server_that_has_cached_more_than_it_read_makes_nothing_cheaper_than_cached() -> None:
    usage = Usage(input_tokens=1000, cached_tokens=10**9)

    assert Price(input=2, cached_input=1, output=10).cost_of(usage) == 0.001


def test_a_long_input_makes_all_tokens_of_its_turn_dearer() -> None:
    price = PriceList().find("gpt-6.1-terra")
    assert price is not None
    assert price.cost_of(Usage(input_tokens=272_000, output_tokens=1000)) == 0.277
    assert price.cost_of(Usage(input_tokens=272_001, output_tokens=1000)) == 0.551502


def test_a_turn_without_a_price_has_no_cost_unless_it_used_no_tokens() -> None:
    assert priced(Usage(input_tokens=1), None).usd is None
    assert priced(NO_USAGE, None) == NO_USAGE
    assert priced(Usage(input_tokens=1_000_000), Price(input=2, output=3)).usd == 2


def test_prices_of_an_operator_win_over_the_list() -> None:
    own = OwnPrices.validate_json(
        '{"gpt-5.4-mini": {"input": 1, "output": 2}, "my-model": {"input": 3, "output": 4}}'
    )

    assert PriceList(own).find("gpt-5.4-mini") == Price(input=1, output=2)
    assert PriceList(own).find("my-model") == Price(input=3, output=4)
    assert PriceList(own).find("gpt-5.4-nano") == PriceList().find("gpt-5.4-nano")


@pytest.mark.parametrize(("window", "share"), [(None, 1), ("soonest", 1), ("2h", 0.7), ("8h", 0.6)])
def test_turns_that_may_take_hours_are_discounted(window: CompletionWindow | None, share: float) -> None:
    prices = PriceList()
    standard, price = prices.find("gpt-6.1-terra"), prices.find("gpt-6.1-terra", window)
    assert standard is not None
    assert price is not None
    for input_tokens in (1000, 300_000):
        usage = Usage(
            input_tokens=input_tokens, cached_tokens=400, cache_write_tokens=300, output_tokens=1000
        )
        assert price.cost_of(usage) == pytest.approx(standard.cost_of(usage) * share, abs=2e-9)


def test_prices_of_an_operator_are_not_discounted() -> None:
    own = Price(input=1, output=2)

    assert PriceList({"my-model": own}).find("my-model", "8h") == own


@pytest.mark.parametrize(
    "price",
    [
        '{"input": 1}',
        '{"input": -1, "output": 1}',
        '{"input": NaN, "output": 1}',
        '{"input": 1, "output": 1, "x": 1}',
        "1",
    ],
)
def test_a_price_that_is_incomplete_or_impossible_is_an_error(price: str) -> None:
    with pytest.raises(ValidationError):
        OwnPrices.validate_json(f'{{"my-model": {price}}}')


def test_a_price_survives_the_state_of_the_workflow() -> None:
    price = PriceList().find("gpt-5.4")

    assert price is not None
    assert price.long is not None
    assert Price.model_validate(price.model_dump(mode="json")) == price


def test_the_list_is_not_read_when_the_module_is_imported() -> None:
    code = (
        "import sys; sys.addaudithook(lambda event, arguments: print(arguments[0]) if event == 'open' else None); "
        "import upcall.domain.prices"
    )
    opened = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "prices.py" in opened or "prices.cpython" in opened
    assert FILE.name not in opened


@pytest.mark.skipif(importlib.util.find_spec("genai_prices") is None, reason="genai-prices is not installed")
def test_costs_are_those_of_genai_prices() -> None:
    from genai_prices import Usage as GenaiUsage
    from genai_prices import calc_price

    draw = random.Random(1)
    names = [name for entry in LIST["models"] for name in entry["names"]]
    for name in names:
        model = name.replace("*", "").replace("YYYY-MM-DD", "2026-10-01")
        for _ in range(20):
            input_tokens = int(10 ** draw.uniform(0, 6))
            cached_tokens = draw.randint(0, input_tokens)
            written_tokens = draw.randint(0, input_tokens - cached_tokens)
            output_tokens = int(10 ** draw.uniform(0, 5))
            price = PriceList().find(model)
            assert price is not None, model
            expected = calc_price(
                GenaiUsage(
                    input_tokens=input_tokens,
                    cache_read_tokens=cached_tokens if price.cached_input is not None else 0,
                    cache_write_tokens=written_tokens if price.cache_write is not None else 0,
                    output_tokens=output_tokens,
                ),
                model,
                provider_id="openai",
            )
            usage = Usage(
                input_tokens=input_tokens,
                cached_tokens=cached_tokens,
                cache_write_tokens=written_tokens,
                output_tokens=output_tokens,
            )
            assert price.cost_of(usage) == pytest.approx(float(expected.total_price), abs=1e-9), (
                model,
                usage,
            )
