"""The workflow's definition. moto and cfn-lint do not check its graph, its Retry blocks and its substitutions."""

import re
from itertools import pairwise
from typing import Any

import pytest
import yaml
from support.templates import RESOURCES, TEMPLATE, resources_of_type
from support.workflow_definition import (
    ALL_LAMBDAS,
    ALL_MACHINES,
    ALL_TASKS,
    BATCH,
    BATCH_WORKFLOW,
    MACHINES,
    RUN,
    WORKFLOW,
)

from upcall.tool import ToolEvent
from upcall.use_cases.close_run import WORKFLOW_CAUSE

FINAL_TYPES = ("Succeed", "Fail")
STATES = [(name, state) for machine in ALL_MACHINES.values() for name, state in machine["States"].items()]
LAST_TASKS = ("Record failure", "Write batch results")
"""If it fails, the execution fails. The function close_run ends the run; an alarm tells of the batch."""

CAUGHT_FIRST = {
    "Wait for change": [["States.Timeout"]],
    "Wait for answer": [["States.Timeout"]],
    "Call tool": [["ApprovalRequired", "States.QueryEvaluationError"]],
    "Start batch run": [["BatchStopped"]],
}
"""Errors that lead to another state than a failure does."""

SHORTEST_TIMEOUTS = {"Wait for change": 60, "Wait for answer": 60}
"""Of states whose time-outs are computed. The last one of a call that waits may be shorter."""

SUBSTITUTIONS: dict[str, dict[str, Any]] = {
    machine: TEMPLATE.source["Resources"][machine]["Properties"]["DefinitionSubstitutions"]
    for machine in (RUN, BATCH)
}
FUNCTIONS_OF = {
    name: value
    for substitutions in SUBSTITUTIONS.values()
    for name, value in substitutions.items()
    if name.endswith("FunctionArn")
}

TRANSIENT_ERRORS = [
    "TransientError",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
CRASHES = ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"]


def next_states(state: dict[str, Any]) -> set[str]:
    """The states that may follow a state."""
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    names = [state.get("Next"), state.get("Default"), *(rule["Next"] for rule in rules)]
    return {name for name in names if name}


@pytest.mark.parametrize("name", ALL_MACHINES)
def test_every_next_state_exists_and_every_state_is_reachable(name: str) -> None:
    machine = ALL_MACHINES[name]
    reached, left = set(), {machine["StartAt"]}
    while left:
        state = left.pop()
        assert state in machine["States"], f"there is no state {state}"
        reached.add(state)
        left |= next_states(machine["States"][state]) - reached

    assert reached == set(machine["States"])


@pytest.mark.parametrize("state", [state for _, state in STATES], ids=[name for name, _ in STATES])
def test_every_state_has_a_next_state_or_is_final(state: dict[str, Any]) -> None:
    is_final = state["Type"] in FINAL_TYPES or state.get("End", False)

    assert next_states(state) or is_final
    if state["Type"] == "Choice":
        assert "Default" in state, "without a default, a choice may match no rule"


@pytest.mark.parametrize(("name", "state"), ALL_TASKS, ids=[name for name, _ in ALL_TASKS])
def test_every_task_has_a_timeout_a_retry_and_a_catch(name: str, state: dict[str, Any]) -> None:
    assert state["TimeoutSeconds"]
    caught = [rule["ErrorEquals"] for rule in state.get("Catch", [])]
    assert caught == ([] if name in LAST_TASKS else [*CAUGHT_FIRST.get(name, []), ["States.ALL"]])
    assert all(rule["JitterStrategy"] == "FULL" and rule["MaxDelaySeconds"] for rule in state["Retry"])


def test_functions_are_retried_after_transient_errors_and_handlers_after_crashes() -> None:
    """A handler may be invoked again after a crash. A tool may have had an effect."""
    assert len(ALL_LAMBDAS) == 12
    waiting = [TRANSIENT_ERRORS, [each for each in CRASHES if each != "States.Timeout"]]
    others = {
        "Call tool": [TRANSIENT_ERRORS],
        "Wait for change": waiting,
        "Wait for answer": waiting,
        "Start batch run": [*waiting, ["QuotaExceeded", "Stopped"], ["States.Timeout"]],
    }
    for name, state in ALL_LAMBDAS:
        retried = [rule["ErrorEquals"] for rule in state["Retry"]]
        assert retried == others.get(name, [TRANSIENT_ERRORS, CRASHES]), name


@pytest.mark.parametrize("errors", [TRANSIENT_ERRORS, CRASHES], ids=["transient errors", "crashes"])
def test_the_retry_blocks_of_all_functions_are_equal(errors: list[str]) -> None:
    blocks = [rule for _, state in ALL_LAMBDAS for rule in state["Retry"] if rule["ErrorEquals"] == errors]

    assert len(blocks) >= 5
    assert all(one == other for one, other in pairwise(blocks))


def test_a_tool_is_called_with_all_fields_of_its_event() -> None:
    (payload,) = (state["Arguments"]["Payload"] for name, state in ALL_LAMBDAS if name == "Call tool")

    assert set(payload) == set(ToolEvent.model_fields)


def test_a_call_is_identified_by_its_round_and_its_position_from_1_on() -> None:
    item = WORKFLOW["States"]["Call tools"]["ItemSelector"]

    assert item["round"] == "{% $round + 1 %}"
    assert item["position"] == "{% $states.context.Map.Item.Index + 1 %}"


@pytest.mark.parametrize("name", ["Create run", "Submit tool outputs"])
def test_a_repeated_request_carries_the_errors_before_it(name: str) -> None:
    """They come back with the pause, through the states in between, which pass on their input."""
    state, waits = (
        WORKFLOW["States"][name],
        {"Create run": "Wait to create", "Submit tool outputs": "Wait to submit"},
    )

    assert (
        state["Arguments"]["Payload"]["errors"]
        == "{% $exists($states.input.errors) ? $states.input.errors : {} %}"
    )
    assert "$states.result" in state["Output"]
    assert WORKFLOW["States"][waits[name]]["Next"] == name
    assert not {"Output", "Assign"} & WORKFLOW["States"][waits[name]].keys()


def test_polls_count_errors_in_a_row_of_the_run() -> None:
    for name in ("Create run", "Submit tool outputs", "Wait for change", "Poll run"):
        payload = "Payload." if name == "Poll run" else ""
        assert WORKFLOW["States"][name]["Assign"]["errors"] == f"{{% $states.result.{payload}errors %}}"
    for name in ("Wait for change", "Poll run"):
        counters = WORKFLOW["States"][name]["Arguments"]["Payload"]["counters"]
        assert counters["errors"] == "{% $errors %}"


def test_a_turn_that_failed_is_requested_again_with_what_it_used_and_the_errors_so_far() -> None:
    """It goes the way of a creation, and comes back to it with the pauses after errors."""
    (choice,) = (
        each
        for each in WORKFLOW["States"]["Run status?"]["Choices"]
        if each["Condition"] == "{% $states.input.repeat %}"
    )
    fields = {"failed_upstream_run", "failed_usage", "clock_start"}

    assert choice["Next"] == "Wait to create"
    assert choice["Output"].keys() == {"run_id", "errors", "pause_seconds", *fields}
    state = WORKFLOW["States"]["Create run"]
    assert fields - {"clock_start"} <= state["Arguments"]["Payload"].keys()
    assert all(f"'{field}'" in state["Output"] for field in fields)


@pytest.mark.parametrize("machine", [RUN, BATCH])
def test_the_definition_has_no_yaml_aliases(machine: str) -> None:
    """SAM uploads the file as it is, and CloudFormation does not resolve aliases: it takes `*name` as a string."""
    events = list(yaml.parse(TEMPLATE.definitions[machine]))

    assert not [event for event in events if isinstance(event, yaml.AliasEvent)]
    assert not [event for event in events if getattr(event, "anchor", None)]


@pytest.mark.parametrize(("name", "state"), ALL_LAMBDAS, ids=[name for name, _ in ALL_LAMBDAS])
def test_a_task_has_a_longer_timeout_than_its_function(name: str, state: dict[str, Any]) -> None:
    """Otherwise a retry would run beside the first try."""
    function = str(state["Arguments"]["FunctionName"]).removesuffix("Arn")
    timeouts = [
        properties["Timeout"]
        for logical_id, properties in resources_of_type("AWS::Lambda::Function").items()
        if logical_id == function or (name == "Call tool" and properties["Handler"].startswith("tools."))
    ]
    shortest = SHORTEST_TIMEOUTS.get(name, state["TimeoutSeconds"])

    assert timeouts
    assert shortest > max(timeouts)


def test_a_task_waits_at_least_a_minute_and_half_as_long_again_after_each_timeout() -> None:
    timeout = WORKFLOW["States"]["Wait for change"]["TimeoutSeconds"]

    assert timeout.startswith("{% $ceil($max([60, $min([60 * $power(1.5, $waits), ")


def test_a_call_waits_as_long_as_the_run_allows_and_is_answered_then() -> None:
    """A moment longer, so that its time is over when the function looks at it."""
    state = MACHINES["Call tools"]["States"]["Wait for answer"]

    assert state["TimeoutSeconds"] == "{% $states.input.timed_out ? 60 : $limits.answer_seconds + 5 %}"
    assert state["Catch"][0]["Next"] == "Wait for answer"


@pytest.mark.parametrize("machine", [RUN, BATCH])
def test_expressions_are_jsonata_and_substitutions_are_in_quotes(machine: str) -> None:
    """Without quotes, the YAML would depend on what CloudFormation puts in place of `${name}`."""
    for line in TEMPLATE.definitions[machine].splitlines():
        if "${" in line:
            assert re.search(r"\"[^\"]*\$\{\w+\}[^\"]*\"", line), line
    assert {WORKFLOW["QueryLanguage"], BATCH_WORKFLOW["QueryLanguage"]} == {"JSONata"}


def test_the_definition_works_in_every_partition_of_aws() -> None:
    """GovCloud and China have other ones: `arn:aws-us-gov:…`, `arn:aws-cn:…`."""
    definitions = "".join(TEMPLATE.definitions.values())
    resources = re.findall(r"Resource: (.+)", definitions)

    assert len(resources) == len(ALL_TASKS) + len(("ItemReader", "ResultWriter"))
    assert {each.partition("states:::")[0] for each in resources} == {'"arn:${Partition}:'}
    assert all(each["Partition"] == {"Ref": "AWS::Partition"} for each in SUBSTITUTIONS.values())


@pytest.mark.parametrize("machine", [RUN, BATCH])
def test_the_template_and_the_definition_have_the_same_substitutions(machine: str) -> None:
    names = set(re.findall(r"\$\{(\w+)\}", TEMPLATE.definitions[machine]))

    assert names == set(SUBSTITUTIONS[machine])


@pytest.mark.parametrize("name", FUNCTIONS_OF)
def test_a_substitution_is_the_function_of_its_name(name: str) -> None:
    assert FUNCTIONS_OF[name] == {"Fn::GetAtt": [name.removesuffix("Arn"), "Arn"]}
    assert RESOURCES[name.removesuffix("Arn")]["Type"] == "AWS::Lambda::Function"


def test_the_state_failed_has_the_cause_that_close_run_knows_it_by() -> None:
    assert WORKFLOW["States"]["Failed"]["Cause"] == WORKFLOW_CAUSE
    assert TEMPLATE.definitions[RUN].count(WORKFLOW_CAUSE) == 1
