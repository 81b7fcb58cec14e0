"""Simulates many runs a day: `python -m bench.scale [--check] [--tokens-price DOLLARS] [--update]`.

It prints the tables in Markdown. With `--update` it writes them into docs/scale.md, and draws its plots. With
`--check` it compares the simulation's kernel with load tests on this machine instead.
"""

import argparse
import sys
from pathlib import Path

from rich.console import Console

from bench.scale import check
from bench.scale.plot import draw_lines, draw_shares
from bench.scale.report import MILLION, insert, tables
from bench.scale.scenarios import Outcome, all_scenarios, comparisons, save, simulate

DOCS = Path(__file__).parents[2] / "docs"
RESULTS = Path(__file__).parent / "results.json"
DOLLARS_PER_MILLION_TOKENS = 1.0
"""An example: what tokens cost depends on the model, and on how many are cached."""


def main() -> None:
    """Simulate all scenarios, or check."""
    parser = argparse.ArgumentParser(prog="bench.scale")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--tokens-price", type=float, default=DOLLARS_PER_MILLION_TOKENS, metavar="DOLLARS")
    arguments = parser.parse_args()
    if arguments.check:
        check.main()
        return
    progress = Console(stderr=True)
    outcomes = []
    for scenario in all_scenarios():
        outcomes.append(simulate(*scenario))
        progress.print(*scenario, outcomes[-1].completed, outcomes[-1].first)
    compared = list(comparisons())
    for table in tables(outcomes, compared).values():
        sys.stdout.write(table + "\n")
    for each in outcomes:
        if (each.arrivals, each.quotas) == ("day curve", "raised, tier 5"):
            tokens = each.tokens / MILLION * arguments.tokens_price
            line = f"{each.runs:,} runs, {each.updates}: AWS {each.dollars:,.2f} $, tokens {tokens:,.2f} $"
            sys.stdout.write(line + "\n")
    if arguments.update:
        update(outcomes, compared)


def update(outcomes: list[Outcome], compared: list[Outcome]) -> None:
    """Write the results, the tables in the document, and the plots."""
    save(RESULTS, outcomes, compared)
    document = DOCS / "scale.md"
    document.write_text(insert(document.read_text("utf-8"), tables(outcomes, compared)), "utf-8")
    millions = [each for each in outcomes if each.runs == MILLION]
    for arrivals, name in (("day curve", "scale-day"), ("burst", "scale-burst")):
        title = f"A million runs, {arrivals}: share completed"
        chosen = [each for each in millions if each.arrivals == arrivals]
        (DOCS / f"{name}.svg").write_text(draw_lines(title, chosen), "utf-8")
    peaks = {
        each.updates: each.peaks
        for each in millions
        if (each.arrivals, each.quotas) == ("day curve", "raised, tier 5")
    }
    title = "A million runs a day: the peak hour's share of each default quota (blue polled, orange pushed)"
    (DOCS / "scale-quotas.svg").write_text(draw_shares(title, peaks), "utf-8")


if __name__ == "__main__":
    main()
