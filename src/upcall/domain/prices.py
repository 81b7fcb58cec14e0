"""What models cost: a list as data, and an operator's own prices, which win over it."""

import json
import re
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field, TypeAdapter

from upcall.domain.completion_window import CompletionWindow
from upcall.domain.errors import FieldError
from upcall.domain.model import Model
from upcall.domain.usage import Usage

FILE = Path(__file__).parents[1] / "model_prices.json"
"""Written by `make prices`. It says where its figures are from, and when."""

MILLION = 1_000_000
DIGITS = 9
"""Of dollars after the point: a token of the cheapest model costs more than that."""

WINDOW_SHARES: Mapping[CompletionWindow, float] = {"soonest": 1, "2h": 0.7, "8h": 0.6}
"""The share of its price that a turn costs in a completion window. Source:
https://developers.openai.com/api/docs/guides/flex-processing."""

_DATE = re.compile(r"-\d{4}-\d{2}-\d{2}$", re.ASCII)

Dollars = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LongPrice(Model):
    """The prices of turns that read more than `from_tokens`: for all of their tokens."""

    model_config = ConfigDict(populate_by_name=True)

    from_tokens: Annotated[int, Field(validation_alias=AliasChoices("from", "from_tokens"))]
    input: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    output: Dollars


class Price(Model):
    """Dollars for a million tokens.

    Input that the server had cached costs `cached_input`, input that it has cached for later `cache_write`.
    Each costs `input` if it has no price of its own.
    """

    input: Dollars
    cached_input: Dollars | None = None
    cache_write: Dollars | None = None
    output: Dollars
    long: LongPrice | None = None

    def cost_of(self, usage: Usage) -> float:
        """What a turn costs, in dollars. Reasoning tokens are output, cached tokens are part of the input."""
        long = self.long
        price: Price | LongPrice = long if long and usage.input_tokens > long.from_tokens else self
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        cached_price = price.input if price.cached_input is None else price.cached_input
        write_price = price.input if price.cache_write is None else price.cache_write
        dollars = (
            (usage.input_tokens - cached - written) * price.input
            + cached * cached_price
            + written * write_price
            + usage.output_tokens * price.output
        )
        return round(dollars / MILLION, DIGITS)

    def discounted(self, share: float) -> "Price":
        """The price of which each part is this share."""
        long = self.long.model_copy(update=_shares_of(self.long, share)) if self.long else None
        return self.model_copy(update={**_shares_of(self, share), "long": long})


def _shares_of(price: Price | LongPrice, share: float) -> dict[str, float]:
    parts = ("input", "cached_input", "cache_write", "output")
    values = ((part, getattr(price, part)) for part in parts)
    return {part: round(value * share, DIGITS) for part, value in values if value is not None}


OwnPrices = TypeAdapter(dict[str, Price])


class PriceList:
    """The list, with an operator's own prices by model."""

    def __init__(self, own: Mapping[str, Price] | None = None) -> None:
        self._own = own or {}

    def find(self, model: str, window: CompletionWindow | None = None) -> Price | None:
        """The price of a model; None if none is known. `openai/NAME`, as gateways write it, is NAME.

        A price of the list is discounted in a completion window of hours, one of an operator's is as it is.
        """
        if own := self._own.get(model):
            return own
        price = _listed(model.removeprefix("openai/"))
        share = WINDOW_SHARES[window] if window else 1
        return price.discounted(share) if price and share < 1 else price


def no_price(field: str, model: str) -> FieldError:
    """The error of a field that bounds dollars of a model without a known price."""
    return FieldError(field, f"no price is known for the model {model!r}; ModelPrices may have one")


def priced(usage: Usage, price: Price | None) -> Usage:
    """The usage of a turn with what it costs. Without a price it has no cost, unless it used no tokens."""
    if usage.is_empty:
        return usage
    return usage.model_copy(update={"usd": price.cost_of(usage) if price else None})


@lru_cache(maxsize=128)
def _listed(model: str) -> Price | None:
    dated = _DATE.sub("-YYYY-MM-DD", model)
    for entry in _list():
        for name in entry["names"]:
            if name in (model, dated) or (name.endswith("*") and model.startswith(name[:-1])):
                return Price.model_validate({key: each for key, each in entry.items() if key != "names"})
    return None


@cache
def _list() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(FILE.read_text("utf-8"))["models"]
    return entries
