"""Writes the prices of OpenAI's models as data: `python local/model_prices.py FILE`.

`make prices` calls it with an environment that has genai-prices. That package itself takes
half a second to load, which every cold start would pay.
"""

import json
import re
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from genai_prices.data import providers

SOURCE = "https://github.com/pydantic/genai-prices"
DATED = re.compile(r"\^([\w.\\-]+-)\\d\{4\}-\\d\{2\}-\\d\{2\}\$")
FIELDS = {
    "input": "input_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "output": "output_mtok",
}


def main(file: Path) -> None:
    """Write the list. Each entry has the names that a model goes by, and its prices per million tokens."""
    (openai,) = (provider for provider in providers if provider.id == "openai")
    models = [entry for model in openai.models if (entry := _entry(model)) is not None]
    document = {
        "source": f"genai-prices {version('genai-prices')} (MIT), {SOURCE}; {openai.pricing_urls[0]}",
        "date": datetime.now(UTC).date().isoformat(),
        "models": models,
    }
    lines = ",\n".join(f"  {json.dumps(model)}" for model in document.pop("models"))
    head = json.dumps(document, indent=1).removesuffix("\n}")
    file.write_text(f'{head},\n "models": [\n{lines}\n ]\n}}\n', "utf-8")


def _entry(model: Any) -> dict[str, Any] | None:
    prices = model.get_prices(datetime.now(UTC))
    values = {name: getattr(prices, field) for name, field in FIELDS.items()}
    if values["input"] is None or values["output"] is None:
        return None  # priced by images or minutes
    entry: dict[str, Any] = {"names": sorted(_names(model.match))}
    for name, value in values.items():
        if value is None:
            continue
        entry[name] = float(getattr(value, "base", value))
        for tier in getattr(value, "tiers", ()):
            entry.setdefault("long", {"from": tier.start})[name] = float(tier.price)
    return entry


def _names(match: Any) -> set[str]:
    """Exact names. A star at the end stands for any text, YYYY-MM-DD for any date."""
    kind = type(match).__name__
    if kind == "ClauseOr":
        return {name for clause in match.or_ for name in _names(clause)}
    if kind == "ClauseEquals":
        return {match.equals}
    if kind == "ClauseStartsWith":
        return {f"{match.starts_with}*"}
    if kind == "ClauseRegex" and (dated := DATED.fullmatch(match.regex)):
        return {dated[1].replace("\\.", ".") + "YYYY-MM-DD"}
    sys.stderr.write(f"left out: {match}\n")
    return set()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
