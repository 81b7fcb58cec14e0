"""The patch of JSONata: bound variables give the same values as moto's text. See `local/moto_patches/jsonata.py`."""

import json
import uuid
from typing import Any

import boto3
import pytest
from jsonata import Jsonata
from moto.stepfunctions.parser.asl.jsonata.jsonata import JSONataException
from support.event_listener import EventListener
from support.workflow_definition import WORKFLOW

from local.moto_patches.jsonata import UndefinedValue, evaluate_with

DATA: dict[str, Any] = {
    "states": {
        "input": {
            "text": 'Grüße 😀 "quoted" \\ \n',
            "empty": "",
            "none": None,
            "yes": True,
            "numbers": [3, 1.5, 2.0, -0.0, 12345678901],
            "list_of_one": [{"a": 1}],
            "no_items": [],
            "nested": {"a": [{"b": [1, 2]}, {"b": [3]}, {"c": None}]},
        }
    },
    "round": 2,
    "tools": ["fetch", "read_object"],
}


def evaluate_text(expression: str, variables: dict[str, Any]) -> Any:
    """The value as moto has it computed: the variables are a text in front of the expression."""
    declarations = "".join(f"${name} := {json.dumps(value)};" for name, value in variables.items())
    return json.loads(json.dumps(Jsonata(f"({declarations}{expression})").evaluate(None)))


@pytest.mark.parametrize(
    "expression",
    [
        "$states.input",
        "$states.input.text",
        "$states.input.text & '!'",
        "$states.input.empty",
        "$states.input.none",
        "$exists($states.input.none)",
        "$exists($states.input.missing.too)",
        "$exists($states.input.nested.a) ? 'yes' : 'no'",
        "$states.input.numbers",
        "$sum($states.input.numbers)",
        "$ceil($states.input.numbers[1])",
        "$states.input.list_of_one",
        "$states.input.list_of_one.a",
        "$states.input.no_items",
        "$states.input.nested.a.b",
        "$states.input.nested.a[1].b",
        "$count($states.input.nested.a) + $round",
        "$string($states.input)",
        "$string({'error': 'There is no tool ' & $substring($states.input.text, 0, 5)})",
        "$join($tools, ', ')",
        "'fetch' in $tools",
        "$round > 1 and $states.input.yes",
        "{'run_id': $states.input.text, 'none': $states.input.none, 'round': $round + 1}",
        "$max([$round, $states.input.numbers[0]])",
        "$type($states.input.numbers)",
    ],
)
def test_a_value_is_the_same_as_with_variables_in_the_text(expression: str) -> None:
    assert evaluate_with(expression, DATA) == evaluate_text(expression, DATA)


def test_the_values_of_variables_are_not_changed() -> None:
    data = json.loads(json.dumps(DATA))
    value = evaluate_with("$states.input", data)
    value["nested"]["a"].append("changed")

    assert data == DATA


def test_the_time_is_that_of_the_evaluation() -> None:
    first = evaluate_with("$millis()", {})

    assert evaluate_with("$millis()", {}) >= first > 1_700_000_000_000


def test_an_undefined_value_is_an_error_of_its_own() -> None:
    with pytest.raises(UndefinedValue):
        evaluate_with("$states.input.missing", DATA)


@pytest.mark.parametrize("expression", ["$states.input.text + 1", "$missing()", "1 +"])
def test_an_expression_that_fails_is_an_error_of_jsonata(expression: str) -> None:
    with pytest.raises(JSONataException):
        evaluate_with(expression, DATA)


@pytest.mark.usefixtures("local_stack")
def test_a_workflow_fails_with_the_error_of_aws_if_a_value_is_undefined(
    event_listener: EventListener,
) -> None:
    client, name = boto3.client("stepfunctions"), uuid.uuid4().hex
    state = {"Type": "Pass", "Output": "{% $states.input.missing %}", "End": True}
    definition = {"QueryLanguage": "JSONata", "StartAt": "Pass", "States": {"Pass": state}}
    machine = client.create_state_machine(
        name=name,
        definition=json.dumps(definition),
        roleArn="arn:aws:iam::123456789012:role/jsonata",
    )["stateMachineArn"]
    execution = client.start_execution(stateMachineArn=machine, name=name)["executionArn"]
    event_listener.wait_for_execution(name)

    ended = client.describe_execution(executionArn=execution)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.QueryEvaluationError")
    assert "returned nothing (undefined)" in ended["cause"]


def test_the_expressions_of_the_workflow_use_no_other_root_than_states_and_variables() -> None:
    """`$` and `$$` have no value here."""
    assert "% $ " not in json.dumps(WORKFLOW)
    assert "$$" not in json.dumps(WORKFLOW)
