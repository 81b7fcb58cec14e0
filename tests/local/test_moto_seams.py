"""The five places where the laptop cloud reaches into moto. If one fails, a new moto has moved it."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from moto.dynamodb.comparisons import AttributeValue
from moto.dynamodb.models.dynamo_type import Item

from local.moto_patches.integration import _evaluate
from local.stack import LocalStack
from upcall.aws.dynamodb import Table

pytestmark = pytest.mark.usefixtures("laptop")


def started(definition: dict[str, object], given: dict[str, object]) -> dict[str, object]:
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"seam-{abs(hash(json.dumps([definition, given])))}",
        definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
        roleArn="arn:aws:iam::123456789012:role/seam",
    )
    arn = client.start_execution(stateMachineArn=machine["stateMachineArn"], input=json.dumps(given))[
        "executionArn"
    ]
    while (execution := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        pass
    return dict(execution)


def test_seam_1_moto_runs_workflows_and_asks_our_jsonata() -> None:
    """`default_user_config["stepfunctions"]["execute_state_machine"]`, and `_eval_jsonata`."""
    state = {"Type": "Pass", "Output": {"sum": "{% $states.input.a + 1 %}"}, "End": True}
    execution = started({"StartAt": "Add", "States": {"Add": state}}, {"a": 1})

    assert execution["status"] == "SUCCEEDED"
    assert json.loads(str(execution["output"])) == {"sum": 2}


def test_seam_2_an_expression_that_fails_fails_the_state_by_the_name_that_aws_gives() -> None:
    """`JSONataException` is what moto catches."""
    state = {"Type": "Pass", "Output": "{% $nothing.at.all %}", "End": True}
    execution = started({"StartAt": "Fail", "States": {"Fail": state}}, {})

    assert (execution["status"], execution["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_seam_3_moto_invokes_our_handlers() -> None:
    """`LambdaSimpleBackend.invoke`, by name and by ARN."""
    client = boto3.client("lambda")
    function = client.get_function(FunctionName="upcall-tool-fetch")["Configuration"]
    event = {"run_id": "r", "call_id": "c", "arguments": "{", "max_output_bytes": 500}
    for name in (function["FunctionName"], function["FunctionArn"]):
        answer = client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert json.loads(answer["Payload"].read())["outcome"] == "error"
        assert "FunctionError" not in answer


def test_seam_3_an_exception_is_told_by_the_header_that_lambda_sends(laptop: LocalStack) -> None:
    name = laptop.stack.functions["PollRunFunction"].name
    answer = boto3.client("lambda").invoke(FunctionName=name, Payload="{}")

    assert answer["FunctionError"] == "Unhandled"
    assert json.loads(answer["Payload"].read())["errorType"] == "InvalidInput"


def test_seam_3_an_unknown_function_is_unknown() -> None:
    client = boto3.client("lambda")
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.invoke(FunctionName="upcall-tool-nothing", Payload="{}")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[1, 2]", [1, 2]),
        ('"a" & "b"', "ab"),
        ("null", None),
        ("$merge([{'a': 1}, {'b': 2}])", {"a": 1, "b": 2}),
        ('"\\ud83d\\ude00"', "😀"),
        ("'fetch' in ['fetch']", True),
        ("'fetch' in []", False),
    ],
)
def test_jsonata_gives_plain_json(expression: str, value: object) -> None:
    assert _evaluate(expression) == value


def test_seam_4_the_end_of_an_execution_is_told_on_the_default_bus() -> None:
    """`BaseExecutionWorkerCommunication.terminated`."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="seam-4")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="seam-4", EventPattern=json.dumps({"source": ["aws.states"]}))
    events.put_targets(Rule="seam-4", Targets=[{"Id": "queue", "Arn": arn}])

    started({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "NoWay", "Cause": "So."}}}, {})

    told: list[dict[str, object]] = []
    while not told:
        found = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        told = [json.loads(each["Body"])["detail"] for each in found.get("Messages", [])]
    events.remove_targets(Rule="seam-4", Ids=["queue"])
    assert ("FAILED", "NoWay", "So.") in [(each["status"], each["error"], each["cause"]) for each in told]


def test_seam_5_writes_to_an_item_happen_one_after_the_other(
    laptop: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`DynamoHandler.call_action`: of eight that write on the same condition, one finds it held.

    moto's own check is made to take a moment, as it may on a machine with much to do.
    """
    held = AttributeValue.expr

    def slowly(value: AttributeValue, item: Item | None) -> object:
        time.sleep(0.005)
        return held(value, item)

    monkeypatch.setattr(AttributeValue, "expr", slowly)
    table, name = Table(laptop.stack.dynamodb, laptop.stack.table), uuid.uuid4().hex
    table.put(name, "RUN", {"status": "open"})

    def end(number: int) -> bool:
        return table.change(name, "RUN", {"status": f"ended by {number}"}, status="open")

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(end, range(8))) == 1
