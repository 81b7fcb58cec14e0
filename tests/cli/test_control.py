"""`upcall quota`, `upcall stop` and `upcall resume` on the running local stack, from another process."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import boto3
import httpx
import pytest
from support.run_records import new_run
from support.runs import Runs
from support.waiting import wait_until

from local.openai_emulator import Hang, Say
from local.stack import LocalStack
from upcall.aws.control_items import ControlItems
from upcall.aws.dynamodb import Table
from upcall.aws.run_repository import DynamoDBRunRepository

from .conftest import Upcall, one_line_error


@pytest.fixture
def controls(local_stack: LocalStack, upcall_on_running_stack: Upcall) -> Iterator[ControlItems]:
    """What is set for the local stack. In the end nothing is stopped, and nobody has a quota."""
    items = ControlItems(Table(local_stack.deployed.dynamodb, local_stack.deployed.table))
    yield items
    for stop in items.list_stops():
        items.resume(stop.scope, stop.name)
    items.remove_quota("anybody")
    items.remove_quota("ann")
    assert upcall_on_running_stack("resume", "--all").returncode == 0


def waiting_messages(local_stack: LocalStack) -> int:
    attributes = boto3.client("sqs").get_queue_attributes(
        QueueUrl=local_stack.endpoints.request_queue, AttributeNames=["All"]
    )["Attributes"]
    return int(attributes["ApproximateNumberOfMessages"])


def wait_for_published_end(repository: DynamoDBRunRepository, run_id: str) -> None:
    wait_until(lambda: repository.get_run(run_id).event_published, f"the final event of {run_id}")


@pytest.mark.usefixtures("controls")
def test_a_quota_that_is_set_holds_until_it_is_removed(upcall_on_running_stack: Upcall, runs: Runs) -> None:
    set_quota = upcall_on_running_stack("quota", "set", "anybody", "--concurrent", "1", "--usd", "2.5")
    assert set_quota.stdout == "anybody: 2.5 dollars a day, 1 open runs\n", set_quota.stderr

    run_id = runs.start_script(Hang())
    assert runs.post({"prompt": "Go."}).status_code == 429
    shown = json.loads(upcall_on_running_stack("quota", "show", "anybody", "--json").stdout)
    assert shown["quota"] == {"usd": 2.5, "concurrent": 1}
    assert shown["used"]["concurrent"] == 1

    assert upcall_on_running_stack("quota", "set", "anybody", "--concurrent", "0").returncode == 0
    assert runs.post({"prompt": "Go."}).status_code == 202
    removed = upcall_on_running_stack("quota", "remove", "anybody")
    assert removed.stdout == "anybody: those of all callers\n"
    runs.http.post(f"/runs/{run_id}/cancel")


def test_a_quota_without_a_figure_is_an_error_in_one_line(upcall_on_running_stack: Upcall) -> None:
    finished = upcall_on_running_stack("quota", "set", "ann")

    assert one_line_error(finished) == "upcall: give --runs, --tokens, --usd or --concurrent"


@pytest.mark.parametrize("command", ["stop", "resume"])
def test_without_a_scope_nothing_is_stopped(upcall_on_running_stack: Upcall, command: str) -> None:
    finished = upcall_on_running_stack(command)

    assert one_line_error(finished) == "upcall: give one of --all, --caller and --batch"


def test_while_all_is_stopped_no_run_starts_and_messages_wait(
    upcall_on_running_stack: Upcall,
    local_stack: LocalStack,
    runs: Runs,
    controls: ControlItems,
    repository: DynamoDBRunRepository,
) -> None:
    open_run = runs.start_script(Hang())
    stopped = upcall_on_running_stack("stop", "--all")
    assert stopped.stdout == "stopped: all runs; open runs go on\n", stopped.stderr
    assert upcall_on_running_stack("stop", "--status").stdout.endswith(": all runs\n")

    refused = runs.post({"prompt": "Go."})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "60")
    assert "an operator has stopped all runs" in refused.json()["detail"]
    model = local_stack.emulator.script(Say("Done."))
    body = json.dumps({"prompt": "Summarise what waited.", "model": model})
    boto3.client("sqs").send_message(QueueUrl=local_stack.endpoints.request_queue, MessageBody=body)
    wait_until(lambda: waiting_messages(local_stack) == 1, "the message waits")
    assert runs.http.get(f"/runs/{open_run}").json()["status"] == "in_progress"

    assert upcall_on_running_stack("resume", "--all").stdout == "resumed: all runs\n"
    assert controls.list_stops() == []

    def find() -> bool:
        listed = repository.list_runs(owner="events", status="completed", limit=100).runs
        return any(run.excerpt == "Summarise what waited." for run in listed)

    wait_until(find, "the run of the message that waited", 30)
    assert runs.run("Go.").run["status"] == "completed"
    runs.http.post(f"/runs/{open_run}/cancel")


def test_messages_go_on_waiting_while_one_of_two_stops_is_left(
    upcall_on_running_stack: Upcall, controls: ControlItems
) -> None:
    for selector in (("--all",), ("--caller", "events"), ("--batch", "batch_1")):
        assert upcall_on_running_stack("stop", *selector).returncode == 0

    resumed = upcall_on_running_stack("resume", "--all")

    assert resumed.stdout.splitlines()[0] == "resumed: all runs"
    assert set(resumed.stdout.splitlines()[1:]) == {
        "still stopped: the runs of caller events",
        "still stopped: the runs of batch batch_1",
    }
    queue = "arn:aws:sqs:us-east-1:123456789012:upcall-requestqueue"
    found = boto3.client("lambda").list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    assert {mapping["State"] for mapping in found} == {"Disabled"}
    assert upcall_on_running_stack("resume", "--caller", "events").returncode == 0
    found = boto3.client("lambda").list_event_source_mappings(EventSourceArn=queue)["EventSourceMappings"]
    assert {mapping["State"] for mapping in found} == {"Enabled"}


def test_a_stop_of_one_caller_leaves_the_others_alone(
    upcall_on_running_stack: Upcall, controls: ControlItems, runs: Runs
) -> None:
    assert upcall_on_running_stack("stop", "--caller", "ann").returncode == 0
    assert runs.run("Go.").run["status"] == "completed"

    assert upcall_on_running_stack("stop", "--caller", "anybody").returncode == 0
    assert runs.post({"prompt": "Go."}).status_code == 503


@pytest.mark.usefixtures("controls")
def test_a_stop_that_cancels_ends_the_open_runs_of_its_caller_and_publishes_their_ends(
    upcall_on_running_stack: Upcall,
    local_stack: LocalStack,
    runs: Runs,
    repository: DynamoDBRunRepository,
) -> None:
    """Also of the run whose execution was not started."""
    run_ids = [runs.start_script(Hang()) for _ in range(4)]
    for run_id in run_ids:
        runs.wait_for_state(run_id, "Poll run")
    run_ids.append(repository.add_run(new_run(created_at=datetime.now(UTC))).run_id)

    stopped = upcall_on_running_stack("stop", "--caller", "anybody", "--cancel", "--json")

    assert json.loads(stopped.stdout)["cancelled"] >= 5, stopped.stderr
    for run_id in run_ids:
        run = runs.http.get(f"/runs/{run_id}?wait=20").json()
        assert (run["status"], run["failure"]["code"]) == ("cancelled", "cancelled")
        assert "An operator has stopped the runs." in run["failure"]["message"]
        wait_for_published_end(repository, run_id)
    assert httpx.get(f"{local_stack.endpoints.api}/runs?status=in_progress").json()["runs"] == []


def test_without_a_running_local_stack_the_error_says_so(upcall: Upcall) -> None:
    assert "no local stack is running" in one_line_error(upcall("stop", "--all"))
