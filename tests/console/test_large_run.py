"""A run of 50 rounds and 600 calls, and a table of 10,000 runs, are shown at once."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from console.conftest import OpenConsole
from console.double import ConsoleDouble
from console.saved_runs import large_rounds, save_run
from playwright.sync_api import expect
from support.run_records import new_run

from local import dynamodb
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def test_a_run_of_600_calls_is_painted_at_once_and_blocks_nothing(
    open_page: OpenConsole, repository: DynamoDBRunRepository
) -> None:
    run = save_run(repository, large_rounds(), "All of it was read.")
    console = open_page(f"/runs/{run.run_id}")
    page = console.page

    expect(page.locator(".rounds > li")).to_have_count(51)
    page.locator(".round > summary").nth(24).click()
    expect(page.locator(".call")).to_have_count(12)
    page.locator(".call > summary").nth(3).click()
    expect(page.locator(".document-title")).to_have_text("Page 25.4")
    page.locator(".event-log > summary").click()
    expect(page.locator(".events li")).to_have_count(200)
    page.wait_for_timeout(600)

    assert page.evaluate(FIRST_PAINT) < 1000
    assert max(page.evaluate("longTasks"), default=0) < 200


@pytest.fixture
def many_runs(local_stack: LocalStack, repository: DynamoDBRunRepository) -> int:
    """10,000 runs of the past."""
    table = local_stack.deployed.table
    first = repository.add_run(
        new_run(created_at=datetime.now(UTC) - timedelta(days=2), prompt="One of many.")
    )
    (item,) = [item for item in dynamodb.read_items(table) if item["pk"]["S"] == f"RUN#{first.run_id}"]
    number = 10_000

    def copy(index: int) -> dict[str, dict[str, str]]:
        run_id = new_run(created_at=first.created_at - timedelta(seconds=index)).run_id
        return {**item, "pk": {"S": f"RUN#{run_id}"}, "run_id": {"S": run_id}}

    dynamodb.put_items(table, (copy(index) for index in range(1, number)))
    return number


def test_a_table_of_10_000_runs_opens_within_a_second_and_one_page_is_read(
    open_page: OpenConsole, many_runs: int, double: ConsoleDouble
) -> None:
    open_page("/health").close()  # the browser is warm
    double.requests.clear()
    started = time.monotonic()
    page = open_page("/runs").page
    page.locator("tbody tr").first.wait_for()
    seconds = time.monotonic() - started

    expect(page.locator("tbody tr")).to_have_count(50)
    assert double.requests[0] == "runs?limit=50"
    assert len(double.requests) == 1
    assert seconds < 1
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("tbody tr")).to_have_count(100)
