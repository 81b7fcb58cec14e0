"""A run of 50 rounds and 600 calls is shown as soon as a small one. Machines differ, so times are compared."""

import pytest
from console.browser import Console, OpenConsole
from console.saved_runs import large_rounds, save_run
from playwright.sync_api import expect

from upcall.aws.run_repository import DynamoDBRunRepository

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"

LONG_TASK_MS = 50
"""Of the shortest task that a browser calls long."""


def longest_task(console: Console) -> float:
    """How long the page was blocked at most, in milliseconds."""
    console.page.wait_for_timeout(600)
    return float(max([LONG_TASK_MS, *console.page.evaluate("longTasks")]))


def test_a_run_of_600_calls_is_painted_at_once_and_blocks_nothing(
    open_page: OpenConsole, repository: DynamoDBRunRepository, capsys: pytest.CaptureFixture[str]
) -> None:
    small = open_page(f"/runs/{save_run(repository, large_rounds(1, 1), 'It was read.').run_id}")
    expect(small.page.locator(".rounds > li")).to_have_count(2, timeout=30_000)
    small_paint, small_task = small.page.evaluate(FIRST_PAINT), longest_task(small)

    console = open_page(f"/runs/{save_run(repository, large_rounds(), 'All of it was read.').run_id}")
    page = console.page
    expect(page.locator(".rounds > li")).to_have_count(51, timeout=30_000)
    page.locator(".round > summary").nth(24).click()
    expect(page.locator(".call")).to_have_count(12)
    page.locator(".call > summary").nth(3).click()
    expect(page.locator(".document-title")).to_have_text("Page 25.4")
    page.locator(".event-log > summary").click()
    expect(page.locator(".events li")).to_have_count(200)
    paint, task = page.evaluate(FIRST_PAINT), longest_task(console)

    with capsys.disabled():
        print(f"\n600 calls: first paint {paint:.0f} ms, longest task {task:.0f} ms; ", end="")  # noqa: T201  # for the reader
        print(f"one call: {small_paint:.0f} ms, {small_task:.0f} ms")  # noqa: T201  # for the reader
    assert paint < 2 * small_paint
    assert task < 4 * small_task
