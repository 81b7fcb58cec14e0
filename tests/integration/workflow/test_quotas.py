"""Quotas, told from outside over HTTP: how many runs start, and what counts."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from support.function_changes import function_changes
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.domain.caller import ANYBODY
from upcall.domain.quota import QuotaSetting


@pytest.fixture
def controls(local_stack: LocalStack) -> Iterator[ControlItems]:
    """What an operator sets, on a stack whose callers have no quotas and have used none."""
    dynamodb, table = local_stack.deployed.dynamodb, local_stack.deployed.table
    items = ControlItems(Table(dynamodb, table))

    def reset() -> None:
        key = {"pk": {"S": f"CALLER#{ANYBODY}"}}
        found = dynamodb.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": key["pk"]},
        )
        for item in found["Items"]:
            dynamodb.delete_item(TableName=table, Key={**key, "sk": item["sk"]})

    reset()
    yield items
    reset()


def test_of_a_hundred_requests_at_once_at_a_quota_of_ten_exactly_ten_runs_start(
    controls: ControlItems, runs: Runs, local_stack: LocalStack
) -> None:
    controls.set_quota(ANYBODY, QuotaSetting(runs=10))
    model = local_stack.emulator.script(Say("Done."))

    def post(_: int) -> httpx.Response:
        return httpx.post(
            f"{local_stack.endpoints.api}/runs", json={"prompt": "Go.", "model": model}, timeout=60
        )

    with ThreadPoolExecutor(100) as threads:
        responses = list(threads.map(post, range(100)))

    counts = Counter(response.status_code for response in responses)
    assert counts == {202: 10, 429: 90}, [each.text for each in responses if each.status_code >= 500][:3]
    for response in responses:
        if response.status_code == 202:
            assert runs.wait_for_end(response.json()["run_id"]).run["status"] == "completed"


def test_what_a_run_has_used_counts_once_it_has_ended(controls: ControlItems, runs: Runs) -> None:
    controls.set_quota(ANYBODY, QuotaSetting(tokens=1, concurrent=5))

    run = runs.run("Go.").run

    counted = runs.table_items(run["run_id"])["RUN"]
    day = counted["counted"]["M"]["day"]["S"]
    used = controls.get_usage(ANYBODY, day)
    assert (used.runs, used.tokens, used.concurrent) == (1, run["usage"]["total_tokens"], 0)
    refused = runs.post({"prompt": "Go."})
    assert refused.status_code == 429
    assert "of 1 tokens of the day" in refused.json()["detail"]


def test_a_run_that_is_cancelled_makes_room_for_another(controls: ControlItems, runs: Runs) -> None:
    controls.set_quota(ANYBODY, QuotaSetting(concurrent=1))
    run_id = runs.start_script(Hang())
    assert runs.post({"prompt": "Go."}).status_code == 429

    runs.http.post(f"/runs/{run_id}/cancel")

    wait_until(lambda: runs.post({"prompt": "Go."}).status_code == 202, "room for another run")


def test_the_default_of_the_stack_holds_for_a_caller_without_a_setting(
    controls: ControlItems, runs: Runs, local_stack: LocalStack
) -> None:
    with function_changes(local_stack, "StartRunFunction", environment={"DEFAULT_QUOTA": '{"runs": 1}'}):
        statuses = [runs.post({"prompt": "Go."}).status_code for _ in range(2)]
        controls.set_quota(ANYBODY, QuotaSetting(runs=0))
        statuses.append(runs.post({"prompt": "Go."}).status_code)

    assert statuses == [202, 429, 202]
