"""The documents about deploying and operating name the parameters, outputs and alarms of the templates."""

import json
import re
from typing import Any

import pytest
from support.templates import MONITORING, TEMPLATE

from local.config import ROOT

DEPLOYING = (ROOT / "docs" / "deploying.md").read_text("utf-8")
OPERATING = (ROOT / "docs" / "operating.md").read_text("utf-8")
PARAMETERS: dict[str, Any] = TEMPLATE.source["Parameters"]
OUTPUTS: dict[str, Any] = TEMPLATE.source["Outputs"]


def upper_snake_case(name: str) -> str:
    """DeadLetterQueueUrl → DEAD_LETTER_QUEUE_URL."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


@pytest.mark.parametrize("parameter", PARAMETERS)
def test_each_parameter_is_in_the_table(parameter: str) -> None:
    table = DEPLOYING.partition("## The parameters")[2]
    assert f"`{parameter}`" in table


@pytest.mark.parametrize("setting", re.findall(r"^  [\"'](\w+)=", DEPLOYING, re.MULTILINE))
def test_each_setting_in_an_example_is_a_parameter(setting: str) -> None:
    assert setting in PARAMETERS


@pytest.mark.parametrize(
    "name",
    sorted(set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", OPERATING)) - {"TIMED_OUT", "EXECUTION_ARN", "RUN_ID"}),
)
def test_each_name_that_stands_for_an_output_is_one(name: str) -> None:
    assert name in {upper_snake_case(output) for output in OUTPUTS}


@pytest.mark.parametrize("alarm", re.findall(r"`(\w+Alarm)`", OPERATING))
def test_each_alarm_that_is_named_exists(alarm: str) -> None:
    assert MONITORING["Resources"][alarm]["Type"] == "AWS::CloudWatch::Alarm"


def test_the_table_of_costs_adds_up() -> None:
    rows = re.findall(r"^\| [^*|]+ \|[^|]*\| (?:[\d.]+) \| ([\d.]+) \|$", OPERATING, re.MULTILINE)
    (total,) = re.findall(r"\*\*a run\*\*.*\*\*([\d.]+)\*\*", OPERATING)

    assert len(rows) == 9
    assert sum(map(float, rows)) == pytest.approx(float(total), abs=0.000002)


def test_links_lead_to_files_that_exist() -> None:
    for text in (DEPLOYING, OPERATING):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / "docs" / target).exists(), target


def test_the_policy_for_callers_is_json() -> None:
    (policy,) = re.findall(r"```json\n(.+?)```", DEPLOYING, re.DOTALL)
    assert json.loads(policy)["Action"] == "execute-api:Invoke"
