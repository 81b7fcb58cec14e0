import re

import pytest

from upcall import config
from upcall.domain.prices import Price


def test_the_error_for_a_missing_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TABLE_NAME", raising=False)

    with pytest.raises(config.MissingVariable, match="TABLE_NAME is not set"):
        config.table_name()


def test_a_comma_separated_variable_is_read_as_a_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_DOMAINS", "example.com, .Docs.Example.ORG,")
    assert config.allowed_domains() == {"example.com", "docs.example.org"}

    monkeypatch.setenv("ALLOWED_DOMAINS", "")
    assert config.allowed_domains() == frozenset()


def test_the_prices_of_an_operator_are_read_from_the_parameter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_PRICES", '{"my-model": {"input": 0.5, "cached_input": 0.05, "output": 2}}')

    assert config.price_list().find("my-model") == Price(input=0.5, cached_input=0.05, output=2)


@pytest.mark.parametrize("value", ["", " "])
def test_without_prices_of_an_operator_the_list_holds(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MODEL_PRICES", value)

    assert config.price_list().find("gpt-5.4-mini") is not None


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('{"my-model": {"input": 0.5}}', "my-model.output: Field required"),
        (
            '{"my-model": {"input": -1, "output": 2}}',
            "my-model.input: Input should be greater than or equal to 0",
        ),
        ('{"my-model"', "Invalid JSON"),
    ],
)
def test_invalid_prices_are_an_error_that_names_the_parameter_and_the_reason(
    monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    """It is no InvalidInput: the caller of a run cannot mend it."""
    monkeypatch.setenv("MODEL_PRICES", value)

    with pytest.raises(config.InvalidVariable, match=f"ModelPrices is invalid: .*{re.escape(reason)}"):
        config.price_list()
