"""The four places where moto does more than need be. If one fails, a new moto has moved it."""

import json
import uuid
from collections.abc import Iterator

import boto3
import pytest
from moto.dynamodb.models.dynamo_type import Item
from moto.dynamodb.models.table import Table as MotoTable
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser, ASLParserException
from support.sample_events import sample

from local.moto_patches import speed
from local.stack import LocalStack
from upcall.aws.dynamodb import Table

pytestmark = pytest.mark.usefixtures("laptop")


def executed(definition: dict[str, object], times: int) -> Iterator[str]:
    client = boto3.client("stepfunctions")
    arn = client.create_state_machine(
        name=f"speed-{uuid.uuid4()}",
        definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
        roleArn="arn:aws:iam::123456789012:role/speed",
    )["stateMachineArn"]
    for _ in range(times):
        execution = client.start_execution(stateMachineArn=arn, name=uuid.uuid4().hex)["executionArn"]
        while (status := client.describe_execution(executionArn=execution)["status"]) == "RUNNING":
            pass
        yield status


def test_a_definition_is_parsed_once_and_each_execution_has_what_is_made_of_it_to_itself() -> None:
    """`AmazonStateLanguageParser.parse`, which gives what is evaluated, and the tree."""
    state = {"Type": "Pass", "Comment": uuid.uuid4().hex, "End": True}
    parsed = speed._tree.cache_info().misses

    assert list(executed({"StartAt": "Pass", "States": {"Pass": state}}, 3)) == ["SUCCEEDED"] * 3
    assert speed._tree.cache_info().misses == parsed + 1
    definition = json.dumps({"StartAt": "Pass", "States": {"Pass": state}})
    (one, tree), (other, same) = (AmazonStateLanguageParser.parse(definition) for _ in range(2))
    assert one is not other
    assert tree is same


def test_a_definition_that_is_wrong_is_refused_as_moto_refuses_it() -> None:
    for _ in range(2):
        with pytest.raises(ASLParserException):
            AmazonStateLanguageParser.parse('{"StartAt": "A", "States": {"A": {"Type": "Nothing"}}}')


def test_tasks_share_a_client(laptop: LocalStack) -> None:
    """`boto_client_for`, as the modules of tasks that invoke functions and put events know it."""
    function = laptop.stack.functions["DescribeApiFunction"].name
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": function, "Payload": sample("describe_api")},
        "End": True,
    }
    list(executed({"StartAt": "Ask", "States": {"Ask": task}}, 1))
    made = speed._made.cache_info()

    list(executed({"StartAt": "Ask", "States": {"Ask": task}}, 2))

    assert speed._made.cache_info().misses == made.misses
    assert speed._made.cache_info().hits >= made.hits + 2


def test_a_service_is_looked_up_once() -> None:
    """`DomainDispatcherApplication.get_backend_for_host`."""
    looked_up = speed.Dispatcher.get_backend_for_host.cache_info()
    for _ in range(3):
        boto3.client("sts").get_caller_identity()
    now = speed.Dispatcher.get_backend_for_host.cache_info()

    assert now.misses <= looked_up.misses + 1
    assert now.hits > looked_up.hits


def test_a_query_reads_the_partition_that_it_is_about(
    laptop: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`Table.query`, which looks through `Table.all_items`."""
    seen: list[int] = []
    all_items = MotoTable.all_items

    def counting(table: MotoTable) -> list[Item]:
        seen.append(len(table.items))
        return all_items(table)

    monkeypatch.setattr(MotoTable, "all_items", counting)
    table, name = Table(laptop.stack.dynamodb, laptop.stack.table), uuid.uuid4().hex
    for number in (2, 1, 3):
        table.put(name, f"PART#{number}", {"number": number})
    for partition, day in (("other", "today"), ("another", "another day")):
        place = f"{name}-{partition}"
        table.put(place, "RUN", {"run_id": "run_1", "status_day": f"{name}#{day}"})

    assert [item["number"] for item in table.between(name, "PART#1", "PART#2")] == [1, 2]
    assert list(table.between(uuid.uuid4().hex, "PART#", "PART#~")) == []
    indexed = table.indexed("runs_by_status", ("status_day", f"{name}#today"), ("run_id", "run_2"))
    assert [item["run_id"] for item in indexed] == ["run_1"]
    assert seen
    assert max(seen) == 1
