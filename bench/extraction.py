"""Measures how long the extraction of a page's text takes, as a ratio to trafilatura alone.

The pages are the sample pages, as they are and with their paragraphs repeated. Both measurements take turns.
Each time is the shortest of several, and the total is a ratio of sums.
"""

import re
import time
from collections.abc import Callable

import trafilatura
from rich.console import Console
from rich.table import Table

from local import sample_pages
from upcall.documents.charset import decode_text
from upcall.documents.html import read_html

REPETITIONS = 15
MAX_RATIO = 1.1


def main() -> None:
    """Measure and print a table."""
    table = Table("page", "KB", "trafilatura", "Upcall", "ratio", title="Reading a page, milliseconds")
    sums = [0.0, 0.0]
    for name, page in pages_to_read():
        baseline = shortest_cpu_seconds(lambda page=page: trafilatura.extract(page))  # type: ignore[misc]
        upcall = shortest_cpu_seconds(
            lambda page=page: read_html(decode_text(page, "utf-8"), "https://example.com/")  # type: ignore[misc]
        )
        sums[0] += baseline
        sums[1] += upcall
        table.add_row(
            name,
            f"{len(page) / 1024:.0f}",
            f"{baseline * 1000:.1f}",
            f"{upcall * 1000:.1f}",
            f"{upcall / baseline:.2f}",
        )
    console = Console()
    console.print(table)
    console.print(f"all: {sums[1] / sums[0]:.2f} (at most {MAX_RATIO})")


def pages_to_read() -> list[tuple[str, bytes]]:
    """Names and pages: each sample page, and a copy with its paragraphs 20 times more."""
    pages = []
    for name in sample_pages.page_names():
        page = (sample_pages.FOLDER / f"{name}.html").read_text("utf-8")
        paragraphs = "".join(re.findall(r"<p>.*?</p>", page, re.DOTALL))
        long_page = page.replace(paragraphs[:80], paragraphs * 20 + paragraphs[:80], 1)
        pages += [(name, page.encode()), (f"{name}, long", long_page.encode())]
    return pages


def shortest_cpu_seconds(work: Callable[[], object]) -> float:
    """The shortest of several times, in seconds of processor time."""
    times = []
    for _ in range(REPETITIONS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
