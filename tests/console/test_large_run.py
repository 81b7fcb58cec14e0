"""A run of 50 rounds and 600 calls is shown at once."""

from console.browser import OpenConsole
from console.saved_runs import large_rounds, save_run
from playwright.sync_api import expect

from upcall.aws.run_repository import DynamoDBRunRepository

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def test_a_run_of_600_calls_is_painted_at_once_and_blocks_nothing(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    run = save_run(repository, large_rounds(), "All of it was read.")
    console = open_page(f"/runs/{run.run_id}")
    page = console.page

    expect(page.locator(".rounds > li")).to_have_count(51, timeout=30_000)
    page.locator(".round > summary").nth(24).click()
    expect(page.locator(".call")).to_have_count(12)
    page.locator(".call > summary").nth(3).click()
    expect(page.locator(".document-title")).to_have_text("Page 25.4")
    page.locator(".event-log > summary").click()
    expect(page.locator(".events li")).to_have_count(200)
    page.wait_for_timeout(600)

    assert page.evaluate(FIRST_PAINT) < 1000
    assert max(page.evaluate("longTasks"), default=0) < 200
