"""What reading a page costs beside trafilatura alone, page by page, in one run.

The pages are the samples and what grows from them: the same paragraphs, many times over. Both sides take
turns, each figure is the best of ROUNDS, ratios are of sums.
"""

import re
import time
from collections.abc import Callable

import trafilatura
from rich.console import Console
from rich.table import Table

from local import sample_pages
from upcall.documents.charset import characters
from upcall.documents.html import html

ROUNDS = 15
LIMIT = 1.1


def main() -> None:
    """Measure and print the table."""
    table = Table("page", "KB", "trafilatura", "Upcall", "ratio", title="Reading a page, milliseconds")
    sums = [0.0, 0.0]
    for name, page in samples():
        alone = best(lambda page=page: trafilatura.extract(page))  # type: ignore[misc]
        ours = best(lambda page=page: html(characters(page, "utf-8"), "https://example.com/"))  # type: ignore[misc]
        sums[0] += alone
        sums[1] += ours
        row = (f"{len(page) / 1024:.0f}", f"{alone * 1000:.1f}", f"{ours * 1000:.1f}", f"{ours / alone:.2f}")
        table.add_row(name, *row)
    console = Console()
    console.print(table)
    console.print(f"all: {sums[1] / sums[0]:.2f} (at most {LIMIT})")


def samples() -> list[tuple[str, bytes]]:
    """Pages by name: the samples as they are, and each with its text 20 times."""
    found = []
    for name in sample_pages.names():
        page = (sample_pages.FOLDER / f"{name}.html").read_text("utf-8")
        paragraphs = "".join(re.findall(r"<p>.*?</p>", page, re.DOTALL))
        long = page.replace(paragraphs[:80], paragraphs * 20 + paragraphs[:80], 1)
        found += [(name, page.encode()), (f"{name}, long", long.encode())]
    return found


def best(work: Callable[[], object]) -> float:
    """The shortest time of several, in seconds of processor time."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
