"""The patches of moto's Distributed Map. If a test fails, a new version of moto moved what is patched."""

import json
import threading
import uuid
from typing import Any

import boto3
import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component,
)
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager
from support.waiting import wait_until

from local.moto_patches.distributed_map import without_result_writers
from local.stack import LocalStack

pytestmark = pytest.mark.usefixtures("local_stack")

ITEMS = 1500
"""More than Python's limit of recursion."""

WAIT: dict[str, Any] = {
    "Type": "Task",
    "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
    "Arguments": {"FunctionName": "upcall-tool-fetch", "Payload": "{% $states.context.Task.Token %}"},
    "End": True,
}
PASS: dict[str, Any] = {"Type": "Pass", "Output": "{% $states.input %}", "End": True}
FAIL: dict[str, Any] = {"Type": "Fail", "Error": "BatchStopped", "Cause": "So."}
FAIL_OR: dict[str, Any] = {
    "Type": "Choice",
    "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Fail"}],
    "Default": "Other",
}


def start(items: list[int], concurrency: int, states: dict[str, Any], first: str, **fields: Any) -> str:
    """Start a workflow of a Distributed Map, which catches every error. Returns the ARN of the execution."""
    client = boto3.client("stepfunctions")
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": first,
        "States": states,
    }
    caught = {
        "ErrorEquals": ["States.ALL"],
        "Output": {"caught": "{% $states.errorOutput.Error %}"},
        "Next": "Done",
    }
    run_items = {
        "Type": "Map",
        "Items": items,
        "MaxConcurrency": concurrency,
        "ItemProcessor": processor,
        "Catch": [caught],
        "Next": "Done",
        **fields,
    }
    states = {"Run items": run_items, "Done": {"Type": "Succeed"}}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Run items", "States": states}
    machine = client.create_state_machine(
        name=f"map-{uuid.uuid4()}",
        definition=json.dumps(without_result_writers(definition)),
        roleArn="arn:aws:iam::123456789012:role/map",
    )["stateMachineArn"]
    return client.start_execution(stateMachineArn=machine, input="{}")["executionArn"]


def wait_for_end(arn: str) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        execution = boto3.client("stepfunctions").describe_execution(executionArn=arn)
        return dict(execution) if execution["status"] != "RUNNING" else None

    return wait_until(ended, "the end of the execution")


class TaskTokens:
    """Keeps the tokens that moto gives to tasks, instead of invoking a function."""

    def __init__(self, local_stack: LocalStack, patch: pytest.MonkeyPatch) -> None:
        self.tokens: list[str] = []
        invoke = local_stack.runner.invoke
        self._changed = threading.Condition()

        def keep(name: str, payload: str, *arguments: Any, **options: Any) -> Any:
            result = invoke(name, "{}" if name == "upcall-tool-fetch" else payload, *arguments, **options)
            if name == "upcall-tool-fetch":
                with self._changed:
                    self.tokens.append(json.loads(payload))
                    self._changed.notify_all()
            return result

        patch.setattr(local_stack.runner, "invoke", keep)

    def wait_for(self, count: int) -> list[str]:
        """The tokens, as soon as there are so many."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.tokens) >= count, 60)
            return list(self.tokens)


def test_a_worker_takes_more_items_than_python_may_recurse() -> None:
    """`run_items_in_a_loop`. Results are in the order of the items."""
    execution = wait_for_end(start(list(range(ITEMS)), 1, {"Pass": PASS}, "Pass"))

    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == list(range(ITEMS))


def test_no_items_are_no_error() -> None:
    execution = wait_for_end(start([], 3, {"Pass": PASS}, "Pass"))

    assert json.loads(execution["output"]) == []


def test_the_first_item_that_fails_fails_the_map_whose_catch_catches_that() -> None:
    """`fail_with_the_first_item`."""
    states = {"Choose": FAIL_OR, "Fail": FAIL, "Other": PASS}
    execution = wait_for_end(start([1, 2, 3], 1, states, "Choose"))

    assert execution["status"] == "SUCCEEDED"
    assert json.loads(execution["output"]) == {"caught": "States.ExceedToleratedFailureThreshold"}


def test_no_further_item_is_started_once_one_has_failed(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = TaskTokens(local_stack, monkeypatch)
    states = {"Choose": FAIL_OR, "Fail": FAIL, "Other": WAIT}
    arn = start([2, *range(3, 50)], 1, states, "Choose")

    assert json.loads(wait_for_end(arn)["output"]) == {"caught": "States.ExceedToleratedFailureThreshold"}
    assert tasks.tokens == []


def test_items_that_wait_for_their_tokens_are_not_waited_for_once_one_has_failed(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on AWS, where they are aborted."""
    tasks = TaskTokens(local_stack, monkeypatch)
    first_waits = {**FAIL_OR, "Choices": [{"Condition": "{% $states.input = 2 %}", "Next": "Wait"}]}
    states = {"Choose": first_waits, "Other": {**WAIT, "End": True}, "Wait": {**WAIT, "Next": "Fail"}}
    del states["Wait"]["End"]
    states["Fail"] = FAIL
    arn = start([1, 2], 2, states, "Choose")
    for token in tasks.wait_for(2):
        task = boto3.client("stepfunctions")
        if token == tasks.tokens[-1]:
            task.send_task_failure(taskToken=token, error="BatchStopped", cause="So.")

    assert json.loads(wait_for_end(arn)["output"]) == {"caught": "States.ExceedToleratedFailureThreshold"}


def test_a_map_whose_items_wait_for_their_tokens_can_be_stopped(
    local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = TaskTokens(local_stack, monkeypatch)
    arn = start(list(range(20)), 3, {"Wait": WAIT}, "Wait")
    tasks.wait_for(3)

    boto3.client("stepfunctions").stop_execution(executionArn=arn, error="cancelled", cause="On request.")

    assert wait_for_end(arn)["status"] == "ABORTED"
    assert len(tasks.tokens) == 3, "no further item was started"


def test_no_history_of_items_is_kept() -> None:
    """`keep_no_history_of_items`. A manager of events is what keeps them."""
    arn = start(list(range(30)), 2, {"Pass": PASS}, "Pass")
    wait_for_end(arn)

    events = boto3.client("stepfunctions").get_execution_history(executionArn=arn)["events"]
    assert len(events) <= 10
    manager: Any = distributed_iteration_component.EventManager()  # type: ignore[attr-defined]
    kept: Any = EventManager()
    for each in (manager, kept):
        each.add_event(context=_Context(), event_type="PassStateEntered")
    assert (len(manager.get_event_history()), len(kept.get_event_history())) == (0, 1)


class _Context:
    source_event_id = 0
    last_published_event_id = 0


def test_a_result_writer_is_left_out_for_moto() -> None:
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Arguments": {"Bucket": "b", "Prefix": "p"}}
    definition = {"StartAt": "A", "States": {"A": {"Type": "Map", "ResultWriter": writer}}}

    assert without_result_writers(definition) == {"StartAt": "A", "States": {"A": {"Type": "Map"}}}
    execution = wait_for_end(start([1], 1, {"Pass": PASS}, "Pass", ResultWriter=writer))
    assert execution["status"] == "SUCCEEDED"
