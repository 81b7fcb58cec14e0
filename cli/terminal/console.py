"""Standard output for results, standard error for progress and errors, JSON for `--json`."""

import json
from typing import Any

from rich.console import Console

out = Console(highlight=False, emoji=False)
err = Console(stderr=True, highlight=False, emoji=False)


def print_json(console: Console, value: Any) -> None:
    """Print JSON without colours and without line breaks that are not its own."""
    console.print(json.dumps(value, indent=2, ensure_ascii=False), soft_wrap=True, markup=False)
