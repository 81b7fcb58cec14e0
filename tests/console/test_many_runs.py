"""A table of 10,000 runs opens at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from console.browser import OpenConsole
from console.served import ServedConsole
from playwright.sync_api import expect
from support.run_records import new_run

from local import dynamodb
from local.stack import LocalStack
from upcall.aws.run_repository import DynamoDBRunRepository

RUNS = 10_000
TRIES = 5
"""The first one also loads what the functions import."""


@pytest.fixture
def many_runs(local_stack: LocalStack, repository: DynamoDBRunRepository) -> Iterator[None]:
    """10,000 runs of the past, which other tests do not have."""
    table = local_stack.deployed.table
    first = repository.add_run(
        new_run(created_at=datetime.now(UTC) - timedelta(days=2), prompt="One of many.")
    )
    (item,) = [item for item in dynamodb.read_items(table) if item["pk"]["S"] == f"RUN#{first.run_id}"]
    ids = [new_run(created_at=first.created_at - timedelta(seconds=index)).run_id for index in range(RUNS)]
    dynamodb.put_items(
        table, ({**item, "pk": {"S": f"RUN#{run_id}"}, "run_id": {"S": run_id}} for run_id in ids)
    )
    yield
    partitions = dynamodb._table(table).items  # over HTTP it would take a minute
    names = {f"RUN#{run_id}" for run_id in ids}
    for partition in [each for each in partitions if each.value in names]:
        del partitions[partition]


def test_a_table_of_10_000_runs_opens_within_a_second_and_one_page_is_read(
    open_page: OpenConsole, many_runs: None, served: ServedConsole
) -> None:
    seconds = []
    for _ in range(TRIES):
        served.requests.clear()
        console = open_page("/runs")
        console.page.locator("tbody tr").first.wait_for()
        seconds.append(console.page.evaluate("performance.now()") / 1000)  # since the address was opened
        assert served.requests == ["runs?limit=50"]
        console.close()

    assert min(seconds) < 1
    page = open_page("/runs").page
    expect(page.locator("tbody tr")).to_have_count(50)
    assert min(seconds) < 1
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("tbody tr")).to_have_count(100)
