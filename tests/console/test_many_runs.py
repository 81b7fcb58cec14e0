"""A table of 10,000 runs opens as soon as a small one."""

from collections.abc import Callable, Iterator
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


def seconds_to_rows(open_page: OpenConsole, served: ServedConsole) -> float:
    """How long the list takes from its address to its first row, at best. One page of runs is read."""
    seconds = []
    for _ in range(TRIES):
        served.requests.clear()
        console = open_page("/runs")
        console.page.locator("tbody tr").first.wait_for()
        seconds.append(console.page.evaluate("performance.now()") / 1000)
        assert served.requests == ["runs?limit=50"]
        console.close()
    return float(min(seconds))


@pytest.fixture
def add_many_runs(local_stack: LocalStack, repository: DynamoDBRunRepository) -> Iterator[Callable[[], None]]:
    """Adds 10,000 runs of the past, which other tests do not have."""
    table = local_stack.deployed.table
    first = repository.add_run(
        new_run(created_at=datetime.now(UTC) - timedelta(days=2), prompt="One of many.")
    )
    (item,) = [item for item in dynamodb.read_items(table) if item["pk"]["S"] == f"RUN#{first.run_id}"]
    ids = [new_run(created_at=first.created_at - timedelta(seconds=index)).run_id for index in range(RUNS)]

    def add() -> None:
        items = ({**item, "pk": {"S": f"RUN#{run_id}"}, "run_id": {"S": run_id}} for run_id in ids)
        dynamodb.put_items(table, items)

    yield add
    partitions = dynamodb._table(table).items  # over HTTP it would take a minute
    names = {f"RUN#{run_id}" for run_id in ids}
    for partition in [each for each in partitions if each.value in names]:
        del partitions[partition]


def test_a_table_of_10_000_runs_opens_as_soon_as_a_small_one_and_one_page_is_read(
    open_page: OpenConsole,
    add_many_runs: Callable[[], None],
    served: ServedConsole,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Machines differ, so times are compared."""
    few = seconds_to_rows(open_page, served)
    add_many_runs()
    many = seconds_to_rows(open_page, served)

    with capsys.disabled():
        print(f"\n10,000 runs: the list is there after {many:.2f} s, without them after {few:.2f} s")  # noqa: T201  # for the reader
    assert many < 2 * few
    page = open_page("/runs").page
    expect(page.locator("tbody tr")).to_have_count(50)
    page.get_by_role("button", name="Load more").click()
    expect(page.locator("tbody tr")).to_have_count(100)
