"""What the dashboard shows is there to be shown, and nothing that is told is left out."""

import ast
import json
import re
from typing import Any

import pytest

from cli import cost
from local.config import ROOT
from local.template import Template

TEMPLATE = Template(ROOT)
RESOURCES: dict[str, Any] = TEMPLATE.transformed["Resources"]
TEXT: str = RESOURCES["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
WIDGETS = json.loads(TEXT)["widgets"]
COST = next(each["properties"] for each in WIDGETS if "dollars" in each["properties"]["title"])
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
NAMESPACE = "Upcall/${AWS::StackName}"
MOST_CHARACTERS = 1024
"""Of a search expression, says CloudWatch."""
NAME = "upcall-StartRunFromEventFunction-ABCDEFGHIJKL"
"""About as long as CloudFormation makes them for a stack of that name."""


def of_ours() -> dict[str, tuple[str, str]]:
    """The metrics of metrics.py, by its own table: unit and what each is by."""
    table = ast.get_docstring(ast.parse((ROOT / "src" / "upcall" / "metrics.py").read_text("utf-8"))) or ""
    rows = re.findall(r"^    ([A-Z]\w+)  +(\w+) {2,}((?:[a-z]+, )*[a-z]+  )?", table, re.MULTILINE)
    return {name: (unit, by.strip()) for name, unit, by in rows}


def shown() -> set[str]:
    """The names of our metrics on the dashboard."""
    found = set(re.findall(rf'\["{re.escape(NAMESPACE)}", "(\w+)"', TEXT))
    return found | set(re.findall(rf'"{re.escape(NAMESPACE)}\\",[a-z,]+}} MetricName=\\"(\w+)', TEXT))


def test_every_metric_of_ours_is_shown() -> None:
    assert shown() == {*of_ours(), "Crashes"}


@pytest.mark.parametrize("name", of_ours())
def test_a_search_asks_for_what_the_metric_is_by(name: str) -> None:
    _, by = of_ours()[name]
    asked = set(re.findall(rf'"{re.escape(NAMESPACE)}\\",([a-z,]+)}} MetricName=\\"{name}\\"', TEXT))

    assert asked == ({",".join(sorted(by.split(", ")))} if by else set())


@pytest.mark.parametrize("name", [*of_ours(), "Crashes"])
def test_operating_explains_each_metric_with_its_unit(name: str) -> None:
    unit, _ = of_ours().get(name, ("Count", ""))

    assert re.search(rf"^\| `{name}` \| {unit.lower()} \|", OPERATING, re.MULTILINE)


def test_every_alarm_is_shown() -> None:
    alarms = {name for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}

    assert set(re.findall(r"\$\{(\w+)\.Arn\}", TEXT)) == alarms


def test_every_name_is_a_resource_of_the_template() -> None:
    named = set(re.findall(r"\$\{(\w+)[.}]", TEXT))

    assert named - RESOURCES.keys() == set()


def test_every_queue_is_shown() -> None:
    queues = {name for name, each in RESOURCES.items() if each["Type"] == "AWS::SQS::Queue"}

    assert set(re.findall(r"\$\{(\w+)\.QueueName\}", TEXT)) == queues


def test_no_search_is_too_long() -> None:
    for metric in (metric for each in WIDGETS for metric in each["properties"].get("metrics", [])):
        expression = metric[0].get("expression", "") if isinstance(metric[0], dict) else ""
        assert len(re.sub(r"\$\{\w+\}", NAME, expression)) <= MOST_CHARACTERS


def test_the_estimate_has_the_prices_of_the_command() -> None:
    factors = {float(found) for found in re.findall(r"\b0\.0{4,}\d+\b", json.dumps(COST))}

    assert factors == {
        cost.STATE_TRANSITION,
        cost.LAMBDA_GB_SECOND_ARM64,
        cost.LAMBDA_REQUEST,
        cost.DYNAMODB_WRITE_UNIT,
        cost.DYNAMODB_READ_UNIT,
        cost.HTTP_API_REQUEST,
    }


def test_the_estimate_takes_functions_and_tools_for_as_large_as_they_are() -> None:
    counted = set(re.findall(r"\$\{(\w+Function)\}", json.dumps(COST)))
    for name, each in RESOURCES.items():
        if name in counted:
            assert each["Properties"]["MemorySize"] == 0.25 * 1024
        elif each["Type"] == "AWS::Lambda::Function" and each["Properties"]["Handler"].startswith("tools."):
            assert each["Properties"]["MemorySize"] <= 0.5 * 1024


def test_the_estimate_counts_the_transitions_of_a_run_as_they_are() -> None:
    """One round of two calls is 17, as the README's run has it: each function stands for the states around it."""
    ran = {"create": 1, "poll": 2, "submit": 1, "save": 1, "fail": 0}
    (of_states,) = (m[0]["expression"] for m in COST["metrics"] if m[0] and _label(m) == "state transitions")
    formula = re.sub(r"FILL\((\w+), 0\)", lambda found: str(ran[found[1]]), of_states)
    calls = 2

    assert _product(formula) / cost.STATE_TRANSITION + 2 * calls == pytest.approx(17)


def _label(metric: list[Any]) -> str:
    return str(metric[0].get("label", "")) if isinstance(metric[0], dict) else ""


def _product(formula: str) -> float:
    """The value of a formula of figures, sums and products."""

    def value(node: ast.expr) -> float:
        match node:
            case ast.Constant(value=float() | int() as figure):
                return figure
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return value(left) + value(right)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return value(left) * value(right)
        raise ValueError(ast.dump(node))

    return value(ast.parse(formula, mode="eval").body)
