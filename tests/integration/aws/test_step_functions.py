"""The workflow on moto: a state machine that waits, so that nothing ends by itself."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.run_records import new_run
from support.workflow_contract import BatchWorkflowContract, WorkflowContract

from upcall import config
from upcall.aws import step_functions
from upcall.use_cases.interfaces import BatchWorkflow, Workflow

DEFINITION = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 3600, "End": True}}}
ROLE = "arn:aws:iam::123456789012:role/workflow"


@pytest.fixture
def client(aws_client: Any) -> Any:
    return aws_client("stepfunctions")


@pytest.fixture
def workflow(client: Any, unique_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workflow]:
    machine = client.create_state_machine(name=unique_name, definition=json.dumps(DEFINITION), roleArn=ROLE)
    arn = machine["stateMachineArn"]
    monkeypatch.setenv("STATE_MACHINE_ARN", arn)
    monkeypatch.setenv("BATCH_STATE_MACHINE_ARN", arn)
    monkeypatch.setattr(step_functions, "get_client", lambda: client)
    yield step_functions
    for execution in client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
        client.stop_execution(executionArn=execution["executionArn"])


@pytest.fixture
def batch_workflow(workflow: Workflow) -> BatchWorkflow:
    del workflow  # the same module, on the same state machine
    return step_functions


class TestStepFunctions(WorkflowContract, BatchWorkflowContract):
    pass


def test_an_execution_gets_the_runs_id_as_its_input(workflow: Workflow, client: Any) -> None:
    run = new_run().model_copy(update={"attempt": 3})
    workflow.start_execution(run)

    (execution,) = client.list_executions(stateMachineArn=config.state_machine_arn())["executions"]
    found = client.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(found["input"]) == {"run_id": run.run_id}
    assert found["executionArn"] == step_functions.execution_arn(
        config.state_machine_arn(), f"{run.run_id}-3"
    )


def test_an_execution_is_stopped_with_the_error_and_the_cause(workflow: Workflow, client: Any) -> None:
    """In the request, because moto drops both."""
    requests: list[dict[str, Any]] = []

    def record(params: dict[str, Any], **_: object) -> None:
        requests.append(params)

    client.meta.events.register("provide-client-params.stepfunctions.StopExecution", record)
    run = new_run()

    workflow.stop_execution(run, "cancelled", "Cancelled on request.")

    arn = step_functions.execution_arn(config.state_machine_arn(), run.run_id)
    assert requests == [{"executionArn": arn, "error": "cancelled", "cause": "Cancelled on request."}]


def test_a_failure_to_stop_an_execution_is_logged_only(
    workflow: Workflow, client: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The workflow ends by itself when it finds the run ended."""

    def unavailable(**_: object) -> None:
        raise ClientError({"Error": {"Code": "ServiceUnavailable"}}, "StopExecution")

    monkeypatch.setattr(client, "stop_execution", unavailable)

    assert workflow.stop_execution(new_run(), "cancelled", "Stop.")
    assert "execution not stopped" in caplog.messages


def test_a_state_machine_that_does_not_exist_is_an_error(
    workflow: Workflow, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_MACHINE_ARN", f"{config.state_machine_arn()}-deleted")

    with pytest.raises(client.exceptions.StateMachineDoesNotExist):
        workflow.start_execution(new_run())
