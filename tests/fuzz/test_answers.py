"""Invalid answers to calls that wait: each is rejected, none causes an internal error, and none approves a call."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.arbitrary_values import (
    DEPTH,
    edge_case_texts,
    fuzz_settings,
    similar_objects,
    texts,
    to_json,
    values,
)
from support.fakes.clock import START
from support.open_calls import LOOKUP_TOOL, REFUND, open_call
from support.run_records import UPSTREAM_RUN, new_run
from support.sample_events import sample_run_request

from upcall.aws.run_repository import DynamoDBRunRepository
from upcall.domain.run import Run
from upcall.domain.tool_calls import ToolCall

from .conftest import SendRequest, assert_no_internal_error

LOOKUP = ToolCall(call_id="call_2", name="lookup", arguments='{"order": 1}')
DIGEST = REFUND.arguments_digest
APPROVAL = {"decision": "approve", "reason": "Yes.", "arguments_digest": DIGEST}
OF_OTHER_ARGUMENTS: dict[str, Any] = {**APPROVAL, "arguments_digest": LOOKUP.arguments_digest}
OUTPUTS: dict[str, Any] = {"outputs": [{"call_id": "1-1", "output": "Approved."}]}


@pytest.fixture(scope="module")
def run(repository: DynamoDBRunRepository) -> Run:
    """A run that waits for an approval (1-1), and for an output of its caller (1-2)."""
    added = repository.add_run(new_run(tools=(LOOKUP_TOOL,)))
    repository.record_creation(added, UPSTREAM_RUN, "polled")
    until = START.replace(year=START.year + 100)
    repository.open_call(added, open_call(until=until))
    lookup = open_call(position=2, call=LOOKUP, waits_for="output", until=until, max_output_bytes=100)
    repository.open_call(added, lookup)
    return repository.get_run(added.run_id)


def decision_event(run_id: str, call: str, body: str) -> dict[str, Any]:
    """The event of POST /runs/{run_id}/calls/{call}/decision."""
    event = sample_run_request("receive_decision", run_id, body=body)
    event["pathParameters"]["call"] = call
    event["rawPath"] = f"/runs/{run_id}/calls/{call}/decision"
    event["requestContext"]["http"]["path"] = event["rawPath"]
    return event


def assert_not_approved(repository: DynamoDBRunRepository, run: Run) -> None:
    call = repository.get_open_call(run, "1-1")
    assert call is not None
    assert call.answer is None
    assert "approval 1-1" in repository.get_run(run.run_id).waiting_calls


@fuzz_settings
@given((similar_objects(OF_OTHER_ARGUMENTS) | values).map(to_json) | edge_case_texts | texts)
@example(to_json(OF_OTHER_ARGUMENTS))
@example(to_json({**APPROVAL, "decision": "Approve"}))
@example(to_json({**APPROVAL, "decision": ["approve"]}))
@example(to_json({**APPROVAL, "arguments_digest": DIGEST.upper()}))
@example(to_json({**APPROVAL, "arguments_digest": f"{DIGEST}\n"}))
@example(to_json({**APPROVAL, "arguments_digest": ""}))
@example(to_json({**APPROVAL, "arguments_digest": None}))
@example(to_json({**APPROVAL, "decided_by": "somebody else"}))
@example(to_json({**APPROVAL, "reason": "x" * 1001}))
@example(to_json({**APPROVAL, "reason": "\ud800"}))
@example(to_json({**OF_OTHER_ARGUMENTS, "reason": "[" * DEPTH}))
@example(to_json([APPROVAL]))
@example("[" * DEPTH + "]" * DEPTH)
def test_no_other_body_approves_a_call(
    send: SendRequest, repository: DynamoDBRunRepository, run: Run, body: str
) -> None:
    response = send("receive_decision", decision_event(run.run_id, "1-1", body))

    assert response["statusCode"] >= 400
    assert_no_internal_error(response)
    assert_not_approved(repository, run)


@fuzz_settings
@given(texts, st.just("1-1") | texts)
@example("{run_id}", "1-2")
@example("{run_id}", "01-1")
@example("{run_id}", "1-01")
@example("{run_id}", "1-1 ")
@example("{run_id}", "1-1\n")
@example("{run_id}", "%31-1")
@example("{run_id}", "+1-1")
@example("{run_id}", "１-１")
@example("{run_id}", "call_1")
@example("{run_id}", "9" * 5000 + "-1")
@example("{run_id}", "../1-1")
@example("{run_id} ", "1-1")
@example("{run_id}#", "1-1")
def test_no_other_path_approves_a_call(
    send: SendRequest, repository: DynamoDBRunRepository, run: Run, run_id: str, call: str
) -> None:
    run_id = run_id.replace("{run_id}", run.run_id)

    response = send("receive_decision", decision_event(run_id, call, to_json(APPROVAL)))

    assert response["statusCode"] in (400, 404), response
    assert_no_internal_error(response)
    assert_not_approved(repository, run)


@fuzz_settings
@given((similar_objects(OUTPUTS) | values).map(to_json) | edge_case_texts | texts)
@example(to_json(OUTPUTS))
@example(to_json({"outputs": [{"call_id": "call_1", "output": "Approved."}]}))
@example(to_json({"outputs": [{"call_id": "1-1", "error": "Approved."}]}))
@example(to_json({"outputs": [{"call_id": "1-2", "output": "x" * 99}]}))
@example(to_json({"outputs": [{"call_id": "1-2", "output": "\ud800"}, {"call_id": "1-1", "output": ""}]}))
@example(to_json({"outputs": [{"call_id": "1-2", "output": "a", "error": "b"}]}))
@example(to_json({"outputs": [{"call_id": "1-2", "output": "a"}] * 2}))
@example(to_json({"outputs": [{"call_id": "1-2", "output": "a"}] * 101}))
@example(to_json({"outputs": []}))
def test_no_output_approves_a_call(
    send: SendRequest, repository: DynamoDBRunRepository, run: Run, body: str
) -> None:
    response = send("receive_tool_outputs", sample_run_request("receive_tool_outputs", run.run_id, body=body))

    assert response["statusCode"] >= 400
    assert_no_internal_error(response)
    assert_not_approved(repository, run)


@fuzz_settings
@given(texts)
@example("\x00")
@example("run_0" * 100)
def test_outputs_for_any_other_run_find_nothing(send: SendRequest, run_id: str) -> None:
    event = sample_run_request("receive_tool_outputs", run_id, body=json.dumps(OUTPUTS))

    response = send("receive_tool_outputs", event)

    assert response["statusCode"] in (400, 404), response
    assert_no_internal_error(response)
