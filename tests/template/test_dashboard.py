"""The dashboard shows every metric, alarm and queue, and its cost estimate is right."""

import ast
import json
import re
from typing import Any

import pytest
from support.templates import MONITORING, MONITORING_PARAMETERS, resources_of_type

from local.config import ROOT
from upcall.domain import aws_prices as prices

TEXT: str = MONITORING["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS = json.loads(TEXT)["widgets"]
COST = next(each["properties"] for each in WIDGETS if "cost" in each["properties"]["title"])
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
NAMESPACE = "Upcall/${UpcallStackName}"
MAX_SEARCH_CHARACTERS = 1024
"""CloudWatch's limit for a search expression."""

LONG_NAME = "upcall-StartRunFromEventFunction-ABCDEFGHIJKL"
"""About the longest name that CloudFormation gives to a resource of the stack upcall."""


def metrics_of_functions() -> dict[str, tuple[str, str]]:
    """Unit and dimensions of the metrics that functions write, from the table in metrics.py."""
    source = (ROOT / "src" / "upcall" / "observability" / "metrics.py").read_text("utf-8")
    table = ast.get_docstring(ast.parse(source)) or ""
    rows = re.findall(r"^    ([A-Z]\w+)  +(\w+) {2,}((?:[a-z]+, )*[a-z]+  )?", table, re.MULTILINE)
    return {name: (unit, dimensions.strip()) for name, unit, dimensions in rows}


def shown_metrics() -> set[str]:
    """The metrics of our namespace on the dashboard."""
    listed = set(re.findall(rf'\["{re.escape(NAMESPACE)}", "(\w+)"', TEXT))
    searched = set(re.findall(rf'"{re.escape(NAMESPACE)}\\",[a-z,]+}} MetricName=\\"(\w+)', TEXT))
    return listed | searched


def test_the_table_of_metrics_is_read() -> None:
    assert len(metrics_of_functions()) == 11


def test_every_metric_is_shown() -> None:
    assert shown_metrics() == {*metrics_of_functions(), "Crashes"}


@pytest.mark.parametrize("name", metrics_of_functions())
def test_a_search_names_the_dimensions_of_its_metric(name: str) -> None:
    _, dimensions = metrics_of_functions()[name]
    searched = set(re.findall(rf'"{re.escape(NAMESPACE)}\\",([a-z,]+)}} MetricName=\\"{name}\\"', TEXT))

    assert searched == ({",".join(sorted(dimensions.split(", ")))} if dimensions else set())


@pytest.mark.parametrize("name", [*metrics_of_functions(), "Crashes"])
def test_operating_explains_each_metric_with_its_unit(name: str) -> None:
    unit, _ = metrics_of_functions().get(name, ("Count", ""))

    assert re.search(rf"^\| `{name}` \| {unit.lower()} \|", OPERATING, re.MULTILINE)


def test_every_alarm_is_shown() -> None:
    alarms = resources_of_type("AWS::CloudWatch::Alarm", MONITORING["Resources"])

    assert set(re.findall(r"\$\{(\w+)\.Arn\}", TEXT)) == set(alarms)


def test_every_name_is_a_resource_or_a_parameter() -> None:
    names = set(re.findall(r"\$\{(\w+)[.}]", TEXT))

    assert names - MONITORING["Resources"].keys() - MONITORING["Parameters"].keys() == set()


def test_every_queue_is_shown() -> None:
    shown = set(re.findall(r"\$\{(\w+QueueName)\}", TEXT))

    queues = {MONITORING_PARAMETERS[name]["Fn::GetAtt"][0] for name in shown}
    assert queues == set(resources_of_type("AWS::SQS::Queue"))


def test_no_search_is_too_long() -> None:
    for metric in (metric for each in WIDGETS for metric in each["properties"].get("metrics", [])):
        expression = metric[0].get("expression", "") if isinstance(metric[0], dict) else ""
        assert len(re.sub(r"\$\{\w+\}", LONG_NAME, expression)) <= MAX_SEARCH_CHARACTERS


def test_the_estimate_uses_the_prices_of_the_command() -> None:
    factors = {float(found) for found in re.findall(r"\b0\.0{4,}\d+\b", json.dumps(COST))}

    assert factors == {
        prices.STATE_TRANSITION,
        prices.LAMBDA_GB_SECOND_ARM64,
        prices.LAMBDA_REQUEST,
        prices.DYNAMODB_WRITE_UNIT,
        prices.DYNAMODB_READ_UNIT,
        prices.HTTP_API_REQUEST,
        prices.EVENTBRIDGE_EVENT,
        prices.SQS_REQUEST,
    }


def test_the_estimate_assumes_the_memory_sizes_of_functions_and_tools() -> None:
    counted = {
        MONITORING_PARAMETERS[name]["Ref"]
        for name in re.findall(r"\$\{(\w+FunctionName)\}", json.dumps(COST))
    }
    assert counted
    for name, properties in resources_of_type("AWS::Lambda::Function").items():
        if name in counted:
            assert properties["MemorySize"] == 0.25 * 1024
        elif properties["Handler"].startswith("tools."):
            assert properties["MemorySize"] <= 0.5 * 1024


def test_the_estimate_counts_the_transitions_of_a_run() -> None:
    """A run with one round of two calls, as in the README, has 8. Each function stands for the states around it."""
    invocations = {"create": 1, "poll": 0, "wait": 0, "submit": 1, "save": 1, "fail": 0}
    (expression,) = (m[0]["expression"] for m in COST["metrics"] if m[0] and _label(m) == "state transitions")
    formula = re.sub(r"FILL\((\w+), 0\)", lambda found: str(invocations[found[1]]), expression)
    calls = 2

    assert _evaluate(formula) / prices.STATE_TRANSITION + calls == pytest.approx(8)


def _label(metric: list[Any]) -> str:
    return str(metric[0].get("label", "")) if isinstance(metric[0], dict) else ""


def _evaluate(formula: str) -> float:
    """The value of a formula of numbers, sums and products."""

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=float() | int() as number):
                return number
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return value(left) * value(right)
        raise ValueError(ast.dump(node))

    return value(ast.parse(formula, mode="eval").body)
