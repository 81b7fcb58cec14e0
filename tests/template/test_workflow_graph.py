"""The graph of the workflow. Neither moto nor cfn-lint looks at it before a run gets there."""

import re
from typing import Any

import pytest
from support.workflow_definition import (
    LAMBDAS,
    MACHINES,
    TASKS,
    TEMPLATE,
    WORKFLOW,
)

from upcall.use_cases.close_run import WORKFLOW_CAUSE

ENDS = ("Succeed", "Fail")
STATES = [(name, state) for machine in MACHINES.values() for name, state in machine["States"].items()]
ENDINGS = [WORKFLOW["States"]["Record failure"], WORKFLOW["States"]["Announce"]]


def targets(state: dict[str, Any]) -> set[str]:
    rules = [*state.get("Choices", []), *state.get("Catch", [])]
    named = [state.get("Next"), state.get("Default"), *(rule["Next"] for rule in rules)]
    return {name for name in named if name}


@pytest.mark.parametrize("name", MACHINES)
def test_every_target_exists_and_every_state_is_reached(name: str) -> None:
    machine = MACHINES[name]
    reached, left = set(), {machine["StartAt"]}
    while left:
        state = left.pop()
        assert state in machine["States"], f"{state} is a target and no state"
        reached.add(state)
        left |= targets(machine["States"][state]) - reached

    assert reached == set(machine["States"])


@pytest.mark.parametrize("state", [state for _, state in STATES], ids=[name for name, _ in STATES])
def test_every_state_leads_on_or_ends(state: dict[str, Any]) -> None:
    leads_on = bool(targets(state))
    ends = state["Type"] in ENDS or state.get("End", False)

    assert leads_on or ends
    if state["Type"] == "Choice":
        assert "Default" in state, "a choice must never run out of rules"


@pytest.mark.parametrize("state", [state for _, state in TASKS], ids=[name for name, _ in TASKS])
def test_every_task_has_a_time_out_a_retry_and_a_catch(state: dict[str, Any]) -> None:
    """Where the ending itself cannot be recorded or announced the execution fails, and close_run does it."""
    assert state["TimeoutSeconds"] > 0
    caught = [rule["ErrorEquals"] for rule in state.get("Catch", [])]
    assert caught == ([] if state in ENDINGS else [["States.ALL"]])
    assert all(rule["JitterStrategy"] == "FULL" and rule["MaxDelaySeconds"] for rule in state["Retry"])


TRANSIENT = [
    "TransientError",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
]
DEATHS = ["Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError", "Runtime.OutOfMemory", "States.Timeout"]


def test_functions_are_retried_for_weather_and_handlers_that_died_too() -> None:
    """A handler may be run again wherever it was killed. Of a tool that nobody here knows."""
    assert len(LAMBDAS) == 6
    for name, state in LAMBDAS:
        retried = [rule["ErrorEquals"] for rule in state["Retry"]]
        assert retried == ([TRANSIENT] if name == "Call tool" else [TRANSIENT, DEATHS]), name


def test_a_task_outlasts_the_function_that_it_calls() -> None:
    called = {name.removesuffix("Arn") for name in re.findall(r"\$\{(\w+)\}", TEMPLATE.definition)}
    timeouts = [
        resource["Properties"].get("Timeout", 3)
        for name, resource in TEMPLATE.transformed["Resources"].items()
        if resource["Type"] == "AWS::Lambda::Function"
        and (name in called or resource["Properties"]["Handler"].startswith("tools."))
    ]
    assert len(timeouts) > 5
    assert all(state["TimeoutSeconds"] > max(timeouts) for _, state in LAMBDAS)


def test_expressions_are_jsonata_and_substitutions_stand_in_quotes() -> None:
    """`${x}` outside quotes would make the YAML depend on what CloudFormation puts in."""
    for line in TEMPLATE.definition.splitlines():
        if "${" in line:
            assert re.search(r"\"[^\"]*\$\{\w+\}[^\"]*\"", line), line
    assert WORKFLOW["QueryLanguage"] == "JSONata"


def test_the_last_state_fails_with_the_cause_by_which_close_run_knows_it() -> None:
    assert WORKFLOW["States"]["Failed"]["Cause"] == WORKFLOW_CAUSE
    assert TEMPLATE.definition.count(WORKFLOW_CAUSE) == 1
