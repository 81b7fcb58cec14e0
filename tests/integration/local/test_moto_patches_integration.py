"""The patches that connect moto with the local stack. If a test fails, a new version of moto moved what is patched."""

import json
import uuid
from typing import Any

import boto3
import pytest
from moto.awslambda.responses import LambdaResponse
from moto.core.model import OperationModel
from moto.core.utils import get_service_model
from support.waiting import wait_until

from local.moto_patches.integration import _evaluate_jsonata
from local.stack import LocalStack

pytestmark = pytest.mark.usefixtures("local_stack")


def start(definition: dict[str, object], execution_input: dict[str, object]) -> str:
    """Start a workflow. Returns the ARN of the execution."""
    client = boto3.client("stepfunctions")
    machine = client.create_state_machine(
        name=f"integration-{uuid.uuid4()}",
        definition=json.dumps({"QueryLanguage": "JSONata", **definition}),
        roleArn="arn:aws:iam::123456789012:role/integration",
    )["stateMachineArn"]
    return client.start_execution(stateMachineArn=machine, input=json.dumps(execution_input))["executionArn"]


def wait_for_end(arn: str) -> dict[str, Any]:
    """An execution that has ended."""

    def ended() -> dict[str, Any] | None:
        execution = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        return dict(execution) if execution["status"] != "RUNNING" else None

    return wait_until(ended, "the end of the execution")


def execute(definition: dict[str, object], execution_input: dict[str, object]) -> dict[str, Any]:
    """Execute a workflow to its end."""
    return wait_for_end(start(definition, execution_input))


def history(arn: str) -> list[str]:
    """The types of an execution's events."""
    events = boto3.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    return [event["type"] for event in events]


def test_moto_executes_workflows_and_evaluates_their_jsonata() -> None:
    """`default_user_config["stepfunctions"]["execute_state_machine"]`, and `_eval_jsonata`."""
    state = {"Type": "Pass", "Output": {"sum": "{% $states.input.a + 1 %}"}, "End": True}
    execution = execute({"StartAt": "Add", "States": {"Add": state}}, {"a": 1})

    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == {"sum": 2}


def test_an_expression_that_fails_is_the_error_that_aws_names() -> None:
    """`JSONataException`, which moto catches."""
    state = {"Type": "Pass", "Output": "{% $nothing.at.all %}", "End": True}
    execution = execute({"StartAt": "Fail", "States": {"Fail": state}}, {})

    assert (execution["status"], execution["error"]) == ("FAILED", "States.QueryEvaluationError")


def test_a_request_never_finds_an_operation_that_another_is_still_making() -> None:
    """`ServiceModel.operation_model`, whose first result was botocore's, in the cache that all threads read."""
    made: list[object] = []

    class Cache(dict[object, object]):
        def __setitem__(self, key: object, model: object) -> None:
            made.append(model)
            super().__setitem__(key, model)

    service = get_service_model.__wrapped__("lambda")
    vars(service)["_instance_cache"] = Cache()
    assert service.operation_model("Invoke") is service.operation_model("Invoke")

    assert [type(model) for model in made] == [OperationModel]


def test_a_request_that_moto_fails_to_handle_is_an_error_of_lambda_s_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`StateTaskServiceLambda._error_cause_from_client_error`: moto's own answer has no request id."""

    def fail(_: LambdaResponse) -> None:
        raise RuntimeError

    monkeypatch.setattr(LambdaResponse, "invoke", fail)
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "upcall-tool-fetch"},
        "End": True,
    }
    execution = execute({"StartAt": "Invoke", "States": {"Invoke": state}}, {})

    assert (execution["status"], execution["error"]) == ("FAILED", "Lambda.ServiceException")


def test_moto_invokes_our_handlers_by_name_and_by_arn() -> None:
    """`LambdaSimpleBackend.invoke`."""
    client = boto3.client("lambda")
    function = client.get_function(FunctionName="upcall-tool-fetch")["Configuration"]
    event = {"run_id": "r", "call_id": "c", "arguments": "{", "max_output_bytes": 500}
    for name in (function["FunctionName"], function["FunctionArn"]):
        response = client.invoke(FunctionName=name, Payload=json.dumps(event))
        assert json.loads(response["Payload"].read())["outcome"] == "error"
        assert "FunctionError" not in response


def test_an_exception_of_a_handler_sets_the_header_of_lambda(local_stack: LocalStack) -> None:
    name = local_stack.deployed.functions["PollRunFunction"].name
    response = boto3.client("lambda").invoke(FunctionName=name, Payload="{}")

    assert response["FunctionError"] == "Unhandled"
    assert json.loads(response["Payload"].read())["errorType"] == "InvalidInput"


def test_an_unknown_function_is_not_found() -> None:
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
        ("$append([], $keys({'notify': 'required'}))", ["notify"]),
        ("$append(['fetch'], $keys({}))", ["fetch"]),
        ("$append([], $keys({}))", []),
    ],
)
def test_the_value_of_a_jsonata_expression_is_plain_json(expression: str, value: object) -> None:
    assert _evaluate_jsonata(expression) == value


def test_a_catch_may_lead_back_to_its_own_state() -> None:
    """`CommonStateField._set_next`, which took it for no Catch."""
    again = {"ErrorEquals": ["States.ALL"], "Output": {"function": "upcall-tool-fetch"}, "Next": "Invoke"}
    state = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke",
        "Arguments": {"FunctionName": "{% $states.input.function %}"},
        "Output": {"invoked": True},
        "Catch": [again],
        "Next": "Done",
    }
    definition: dict[str, object] = {
        "StartAt": "Invoke",
        "States": {"Invoke": state, "Done": {"Type": "Succeed"}},
    }
    execution = execute(definition, {"function": "upcall-tool-nothing"})

    assert json.loads(execution["output"]) == {"invoked": True}


def test_an_execution_whose_task_waits_for_its_token_can_be_stopped() -> None:
    """`ExecutionWorker.stop` and `Environment.set_error`, also inside of a Map state.

    And `StepFunctionResponse.stop_execution`, which drops the error and the cause.
    """
    wait: dict[str, object] = {
        "Type": "Task",
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Arguments": {"FunctionName": "upcall-tool-fetch", "Payload": "{% $states.context.Task.Token %}"},
        "End": True,
    }
    caught = {**wait, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]}
    done = {"Type": "Succeed"}
    each = {
        "ProcessorConfig": {"Mode": "INLINE"},
        "StartAt": "Wait",
        "States": {"Wait": caught, "Done": done},
    }
    calls = {"Type": "Map", "Items": [1, 2], "ItemProcessor": each, "Next": "Done"}
    client = boto3.client("stepfunctions")
    for state in (wait, {**calls, "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Done"}]}):
        arn = start({"StartAt": "First", "States": {"First": state, "Done": done}}, {})
        wait_until(lambda arn=arn: "TaskSubmitted" in history(arn), "the task")  # type: ignore[misc]

        client.stop_execution(executionArn=arn, error="cancelled", cause="On request.")

        ended = wait_for_end(arn)
        assert (ended["status"], ended["error"], ended["cause"]) == ("ABORTED", "cancelled", "On request.")
        wait_until(lambda arn=arn: "ExecutionAborted" in history(arn), "the event")  # type: ignore[misc]


def test_the_end_of_an_execution_is_an_event_on_the_default_bus() -> None:
    """`BaseExecutionWorkerCommunication.terminated`."""
    events, sqs = boto3.client("events"), boto3.client("sqs")
    queue = sqs.create_queue(QueueName="ended-executions")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="ended-executions", EventPattern=json.dumps({"source": ["aws.states"]}))
    events.put_targets(Rule="ended-executions", Targets=[{"Id": "queue", "Arn": arn}])

    execute({"StartAt": "No", "States": {"No": {"Type": "Fail", "Error": "NoWay", "Cause": "So."}}}, {})

    received: set[tuple[str, str, str]] = set()

    def expected_event() -> bool:
        response = sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1, MaxNumberOfMessages=10)
        for message in response.get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            received.add((detail["status"], detail["error"], detail["cause"]))
        return ("FAILED", "NoWay", "So.") in received

    wait_until(expected_event, "the event of the execution")
    events.remove_targets(Rule="ended-executions", Ids=["queue"])
