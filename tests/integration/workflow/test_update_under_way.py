"""Runs that are under way while the stack is updated.

Step Functions ends an execution with the definition that it started with, but it invokes the functions of the new
version, which are not pinned (docs/decisions.md says why). So the functions of a release do what the workflow of
the release before expects. `previous_release/run.asl.yaml` is that workflow: it is replaced when a version is
released, not when the workflow changes.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from support.event_listener import EventListener
from support.notifications import received_notifications
from support.open_calls import LOOKUP_TOOL
from support.runs import Runs

from local.openai_emulator import Call, CallTools, EndIncomplete, Fail, Fault, Say, Step
from local.stack import LocalStack
from local.template import parse_workflow

PREVIOUS = Path(__file__).parent / "previous_release" / "run.asl.yaml"
CALLS = CallTools((Call("none", "{}"), Call("none", "{}")))


@pytest.fixture(autouse=True)
def _previous_workflow(local_stack: LocalStack) -> Iterator[None]:
    """Let executions start with the workflow of the previous release; all else is of this one."""
    functions = {f"{id_}Arn": each.name for id_, each in local_stack.deployed.functions.items()}
    others = {
        "Partition": "aws",
        "RunBusName": local_stack.deployed.bus,
        "ToolFunctionArnPrefix": "upcall-tool-",
    }
    definition = json.dumps(parse_workflow(PREVIOUS.read_text("utf-8"), functions | others))
    client, machine = boto3.client("stepfunctions"), local_stack.endpoints.state_machine
    current = client.describe_state_machine(stateMachineArn=machine)["definition"]
    client.update_state_machine(stateMachineArn=machine, definition=definition)
    yield
    client.update_state_machine(stateMachineArn=machine, definition=current)


@pytest.mark.parametrize("api", ["responses", "assistants", "agents"])
def test_a_run_ends_with_the_workflow_it_started_with(runs: Runs, api: str) -> None:
    ended = runs.run_script(CALLS, CALLS, Say("Done."), run_api=api)

    assert (ended.run["status"], ended.run["message"], ended.run["tool_calls"]) == ("completed", "Done.", 4)


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ((Fail("invalid_prompt", "No."),), "failed"),
        ((CALLS, EndIncomplete("max_output_tokens")), "incomplete"),
        ((CallTools((Call("no_such_tool", "{}"),)), Say("Done.")), "completed"),
    ],
)
def test_a_run_that_fails_does_so_as_before(runs: Runs, steps: tuple[Step, ...], status: str) -> None:
    ended = runs.run_script(*steps)

    assert ended.run["status"] == status


@pytest.mark.parametrize("operation", ["create", "poll", "submit"])
def test_a_request_that_fails_is_repeated(runs: Runs, operation: str) -> None:
    ended = runs.run_script(CALLS, Say("Done."), faults=[Fault(operation, status=503)])

    assert (ended.run["status"], ended.run["message"]) == ("completed", "Done.")


def test_a_call_that_needs_an_approval_is_not_made(runs: Runs, local_stack: LocalStack) -> None:
    """The previous workflow cannot wait for one. The model reads that the assistant's tool is not there."""
    with received_notifications(local_stack) as notifications:
        notify = CallTools((Call.of("notify", message="Hello."),))
        ended = runs.run_script(notify, Say("I could not."), assistant="announcer")

        assert (ended.run["status"], ended.run["message"]) == ("completed", "I could not.")
        assert ended.outputs == [{"error": "There is no tool notify. There is: fetch, read_object."}]
        assert notifications.of_run(ended.run["run_id"]) == []


def test_a_tool_that_always_needs_an_approval_does_not_run(
    runs: Runs, local_stack: LocalStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its function refuses, whatever the workflow knows."""
    from tools import notify

    monkeypatch.setattr(notify.lambda_handler, "approval", "required")
    with received_notifications(local_stack) as notifications:
        call = CallTools((Call.of("notify", message="Hello."),))
        ended = runs.run_script(call, Say("I could not."), assistant="messenger")

        assert ended.run["status"] == "completed"
        assert "did not answer (ApprovalRequired)" in ended.outputs[0]["error"]
        assert notifications.of_run(ended.run["run_id"]) == []


def test_a_call_of_a_callers_tool_is_answered_with_an_error(runs: Runs) -> None:
    lookup = CallTools((Call.of("lookup", order=1),))
    ended = runs.run_script(lookup, Say("I could not."), tools=[LOOKUP_TOOL])

    assert ended.run["status"] == "completed"
    assert ended.outputs == [{"error": "There is no tool lookup. There is: fetch, read_object."}]


def test_its_end_is_published(runs: Runs, event_listener: EventListener) -> None:
    run_id = runs.run_script(Say("Done.")).run["run_id"]

    assert [each["detail"]["status"] for each in event_listener.wait_for_events(run_id)] == ["completed"]
