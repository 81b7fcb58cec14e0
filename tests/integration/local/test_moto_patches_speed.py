"""The patches that save work of moto. If a test fails, a new version of moto moved what is patched."""

import json
import uuid
from collections.abc import Callable

import boto3
import pytest
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table as MotoTable
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from support.sample_events import sample_event
from support.waiting import wait_until

from local.moto_patches import speed
from local.stack import LocalStack
from upcall.aws.dynamodb import Table, update_request
from upcall.aws.transaction import put_new, transact, update

pytestmark = pytest.mark.usefixtures("local_stack")


def workflow(definition: dict[str, object]) -> Callable[[], str]:
    """A function that executes a workflow to its end, and returns its status."""
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"speed-{uuid.uuid4()}",
        definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
        roleArn="arn:aws:iam::123456789012:role/speed",
    )["stateMachineArn"]

    def execute() -> str:
        arn = client.start_execution(stateMachineArn=machine, name=uuid.uuid4().hex)["executionArn"]

        def end_status() -> str | None:
            status = client.describe_execution(executionArn=arn)["status"]
            return status if status != "RUNNING" else None

        return wait_until(end_status, "the end of the execution") or ""

    return execute


def test_a_definition_is_parsed_once_and_each_execution_has_its_own_components() -> None:
    """`AmazonStateLanguageParser.parse`, which returns what is evaluated, and the syntax tree."""
    state = {"Type": "Pass", "Comment": uuid.uuid4().hex, "End": True}
    parsed = speed._syntax_tree.cache_info().misses
    execute = workflow({"StartAt": "Pass", "States": {"Pass": state}})

    assert [execute() for _ in range(3)] == ["SUCCEEDED"] * 3
    assert speed._syntax_tree.cache_info().misses == parsed + 1
    definition = json.dumps({"StartAt": "Pass", "States": {"Pass": state}})
    (one, tree), (other, same) = (AmazonStateLanguageParser.parse(definition) for _ in range(2))
    assert one is not other
    assert tree is same


def test_an_invalid_definition_is_rejected_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ASLParserException):
            AmazonStateLanguageParser.parse('{"StartAt": "A", "States": {"A": {"Type": "Nothing"}}}')


def test_tasks_share_a_client(local_stack: LocalStack) -> None:
    """`boto_client_for`, in the modules of tasks that invoke functions and put events."""
    function = local_stack.deployed.functions["DescribeApiFunction"].name
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": sample_event("describe_api")},
        "End": True,
    }
    execute = workflow({"StartAt": "Describe", "States": {"Describe": task}})
    execute()
    before = speed._shared_client.cache_info()

    execute()
    execute()

    assert speed._shared_client.cache_info().misses == before.misses
    assert speed._shared_client.cache_info().hits >= before.hits + 2


def test_a_service_is_looked_up_once() -> None:
    """`DomainDispatcherApplication.get_backend_for_host`."""
    before = speed.Dispatcher.get_backend_for_host.cache_info()
    for _ in range(3):
        boto3.client("sts").get_caller_identity()
    after = speed.Dispatcher.get_backend_for_host.cache_info()

    assert after.misses <= before.misses + 1
    assert after.hits > before.hits


def test_a_query_of_the_table_reads_one_partition(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Table.query`, which reads `Table.all_items`."""
    partitions: list[int] = []
    all_items = MotoTable.all_items

    def count_partitions(table: MotoTable) -> list[Item]:
        partitions.append(len(table.items))
        return all_items(table)

    monkeypatch.setattr(MotoTable, "all_items", count_partitions)
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    for number in (2, 1, 3):
        table.put(name, f"PART#{number}", {"number": number})

    assert [item["number"] for item in table.query(name, "PART#1", "PART#2")] == [1, 2]
    assert list(table.query(uuid.uuid4().hex, "PART#", "PART#~")) == []
    assert partitions
    assert max(partitions) == 1


def test_a_query_of_an_index_reads_all_partitions(local_stack: LocalStack) -> None:
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    for partition, owner in (("other", f"{name}-me"), ("another", f"{name}-you")):
        table.put(f"{name}-{partition}", "RUN", {"run_id": "run_1", "owner": owner})

    items = table.query_index("runs_by_owner", ("owner", f"{name}-me"), ("run_id", "run_2"))
    assert [item["run_id"] for item in items] == ["run_1"]


def test_a_page_of_an_index_sorts_what_it_may_show(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Table.query`, which calls `Table.sorted_items`."""
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    for number in range(1, 8):
        table.put(f"{name}-{number}", "RUN", {"run_id": f"run_{min(number, 6)}", "owner": name})
    sizes: list[int] = []
    sorted_items = MotoTable.sorted_items

    def note_size(
        self: MotoTable, hash_keys: list[str], range_keys: list[str | None], items: list[Item]
    ) -> list[Item]:
        sizes.append(len(items))
        return sorted_items(self, hash_keys, range_keys, items)

    monkeypatch.setattr(MotoTable, "sorted_items", note_size)

    def page(before: str, size: int) -> tuple[list[str], bool]:
        found = local_stack.deployed.dynamodb.query(
            TableName=local_stack.deployed.table,
            IndexName="runs_by_owner",
            KeyConditionExpression="#owner = :owner AND run_id < :before",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": name}, ":before": {"S": before}},
            ScanIndexForward=False,
            Limit=size,
        )
        return [item["run_id"]["S"] for item in found["Items"]], "LastEvaluatedKey" in found

    assert page("run_4", 2) == (["run_3", "run_2"], True)
    assert page("run_3", 2) == (["run_2", "run_1"], False)
    assert page("run_9", 1) == (["run_6"], True)
    assert page("run_1", 1) == ([], False)
    assert max(sizes) == 3


def test_a_transaction_that_fails_leaves_every_item_as_it_was(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DynamoDBBackend.transact_write_items`, which copies tables with `copy.deepcopy`."""
    table, name = Table(local_stack.deployed.dynamodb, local_stack.deployed.table), uuid.uuid4().hex
    copied: list[object] = []
    monkeypatch.setattr(MotoTable, "__deepcopy__", lambda table, _: copied.append(table), raising=False)
    table.put(name, "OLD", {"number": 1})
    count = update(update_request(name, "OLD", {}, add={"number": 1}))

    assert transact(table, [put_new(name, "NEW", {}), count]) is None
    refusals = transact(table, [put_new(name, "OTHER", {}), count, put_new(name, "NEW", {})])

    assert refusals == [None, None, {}]
    assert (table.get(name, "OLD") or {})["number"] == 2
    assert table.get(name, "OTHER") is None
    assert copied == []
